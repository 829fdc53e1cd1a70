package pipe

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestBucketFillsAtItsRate(t *testing.T) {
	r := newRateLimiter(2, 4)
	now := time.Now()
	count := func(at time.Time) (n int) {
		for r.allow("p", "", 1, at) == nil {
			n++
		}
		return n
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 4}, {0, 0}, {time.Second, 2}, {1500 * time.Millisecond, 1}, {time.Hour, 4}} {
		if got := count(now.Add(c.after)); got != c.want {
			t.Errorf("after %s: %d, expected %d", c.after, got, c.want)
		}
	}
	if r.allow("other", "", 1, now) != nil {
		t.Error("another peer pays for it")
	}
}

func TestManyPeersOfOneGroupShareABucket(t *testing.T) {
	r := newRateLimiter(1, 10)
	now := time.Now()
	allowed := 0
	for i := range 100 {
		if r.allow(peer.ID(fmt.Sprint(i)), "1.2.3.0/24", 1, now) == nil {
			allowed++
		}
	}
	if allowed != 10*groupTimes {
		t.Errorf("%d requests of 100 peers of one group, expected %d", allowed, 10*groupTimes)
	}
	for _, group := range []string{"5.6.7.0/24", ""} {
		if err := r.allow("other", group, 1, now); err != nil {
			t.Errorf("group %q: %v", group, err)
		}
	}
	err := r.allow("another", "1.2.3.0/24", 1, now)
	if wire.CodeOf(err) != wire.Busy || !strings.Contains(wire.NextOf(err), "limits.requests") {
		t.Errorf("%v, next: %q", err, wire.NextOf(err))
	}
}

func TestRecordsOfAStoreCount(t *testing.T) {
	r := newRateLimiter(1, 100)
	now := time.Now()
	for i, want := range []bool{true, true, false} {
		if got := r.allow("p", "", 40, now) == nil; got != want {
			t.Errorf("store %d of 40 records: allowed %v", i, got)
		}
	}
	if r.allow("p", "", 20, now) != nil {
		t.Error("a store that was refused has cost something")
	}
	if r.allow("q", "", 1000, now) != nil || r.allow("q", "", 1, now) == nil {
		t.Error("a store above the burst does not cost just that")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	r := newRateLimiter(0.001, 2)
	now := time.Now()
	for range 2 {
		r.allow("greedy", "", 1, now)
	}
	for i := range 3 * maxBuckets {
		r.allow(peer.ID(fmt.Sprint(i)), fmt.Sprint(i), 1, now)
	}
	if len(r.peers.all) > maxBuckets || len(r.groups.all) > maxBuckets {
		t.Errorf("%d buckets of peers, %d of groups", len(r.peers.all), len(r.groups.all))
	}
	if r.allow("greedy", "", 1, now) == nil {
		t.Error("a crowd of others has given a greedy peer its tokens back")
	}
}

func TestDeadlineClosesWhenItPassesAndCanBeMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeadline()
		begun := time.Now()
		d.set(begun.Add(time.Second))
		<-d.wait()
		if got := time.Since(begun); got != time.Second {
			t.Errorf("passed after %s", got)
		}
		d.set(time.Now().Add(time.Second))
		if isClosed(d.wait()) {
			t.Error("closed after it was moved")
		}
		d.set(time.Time{})
		time.Sleep(time.Hour)
		if isClosed(d.wait()) {
			t.Error("the zero time passes")
		}
		d.set(time.Unix(1, 0))
		if !isClosed(d.wait()) {
			t.Error("a past time does not pass")
		}
	})
}
