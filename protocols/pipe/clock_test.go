package pipe

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestClocksGiveTheMedianOfNodes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		offsets []time.Duration // this clock ahead of theirs
		ahead   time.Duration
	}{
		{"nobody", nil, 0},
		{"one", []time.Duration{time.Minute}, time.Minute},
		{"a liar among three", []time.Duration{time.Second, 2 * time.Second, -1000 * time.Hour}, time.Second},
		{"even", []time.Duration{4, 1, 3, 2}, 2},
		{"behind", []time.Duration{-time.Hour, -time.Hour, time.Second}, -time.Hour},
	} {
		var c clocks
		for i, o := range tc.offsets {
			sent, got := now.Add(-time.Second), now.Add(time.Second)
			c.note(peer.ID(fmt.Sprint(i)), now.Add(-o), sent, got)
		}
		if ahead, nodes := c.median(now); ahead != tc.ahead || nodes != len(tc.offsets) {
			t.Errorf("%s: %v of %d", tc.name, ahead, nodes)
		}
	}
}

func TestClocksCountANodeOnceAndForget(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var c clocks
	c.note("a", time.Time{}, now, now)
	if _, nodes := c.median(now); nodes != 0 {
		t.Error("a node that tells no clock counts")
	}
	for i := range 5 {
		c.note("a", now.Add(-time.Duration(i)), now, now)
	}
	if ahead, nodes := c.median(now); ahead != 4 || nodes != 1 {
		t.Errorf("%v of %d", ahead, nodes)
	}
	for i := range 2 * maxClocks {
		c.note(peer.ID(fmt.Sprint(i)), now, now, now.Add(time.Duration(i)))
	}
	if _, nodes := c.median(now); nodes != maxClocks {
		t.Errorf("%d nodes are remembered", nodes)
	}
	if _, nodes := c.median(now.Add(clockLife + time.Minute)); nodes != 0 {
		t.Errorf("%d nodes are remembered after their life", nodes)
	}
}
