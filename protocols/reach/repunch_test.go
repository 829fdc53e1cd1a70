package reach

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestHolesArePunchedAnewOncePerPeerInAWhile(t *testing.T) {
	var ps Punches
	start := time.Unix(0, 0)
	for _, c := range []struct {
		p    peer.ID
		at   time.Duration
		want bool
	}{
		{"p", 0, true},
		{"p", 1, false}, // it says again and again that it takes part
		{"q", 1, true},
		{"p", PunchTime - 1, false},
		{"p", PunchTime, true},
		{"q", PunchTime, false},
	} {
		if got := ps.dueLocked(c.p, start.Add(c.at)); got != c.want {
			t.Errorf("%s after %v: %v, want %v", c.p, c.at, got, c.want)
		}
	}
}

func TestHolesPunchedAnewHaveACap(t *testing.T) {
	var ps Punches
	now, allowed := time.Unix(0, 0), 0
	for i := range 2 * maxPunches {
		if ps.dueLocked(peer.ID(fmt.Sprint(i)), now) {
			allowed++
		}
	}
	if allowed != maxPunches || len(ps.anew) != maxPunches {
		t.Errorf("%d at a time, %d remembered, want %d", allowed, len(ps.anew), maxPunches)
	}
	if now = now.Add(PunchTime); !ps.dueLocked("later", now) || len(ps.anew) != 1 {
		t.Errorf("later %d are remembered", len(ps.anew))
	}
}
