package pipe

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestBucketFillsAtItsRate(t *testing.T) {
	r := newRateLimiter(2, 4)
	now := time.Now()
	count := func(at time.Time) (n int) {
		for r.allow("p", at) {
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
	if !r.allow("other", now) {
		t.Error("another peer pays for it")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	r := newRateLimiter(0.001, 2)
	now := time.Now()
	for range 2 {
		r.allow("greedy", now)
	}
	for i := range 3 * maxBuckets {
		r.allow(peer.ID(fmt.Sprint(i)), now)
	}
	if len(r.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(r.buckets))
	}
	if r.allow("greedy", now) {
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
