package roster

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// What devices may begin: so many at once, and one more after each pause.
const (
	helloBurst, helloEvery = 32, time.Second
	askBurst, askEvery     = 8, 10 * time.Second
	frameBurst, frameEvery = 64, time.Second / 16
	logBurst, logEvery     = 8, 10 * time.Second // logs to be verified on one link
	// maxVerified caps the logs of those who say Hello that are verified at a time.
	maxVerified = 4
	// maxThrottled caps the devices that are counted. Above it all that have their
	// burst back are forgotten, and if none has, newcomers are refused.
	maxThrottled = 4096
)

// bucket counts what one device may still do.
type bucket struct {
	burst int
	every time.Duration
	full  time.Time // when it has its whole burst again
}

// take takes one, false when there is none.
func (b *bucket) take(now time.Time) bool {
	if b.full.Before(now) {
		b.full = now
	}
	if b.full.Sub(now)+b.every > time.Duration(b.burst)*b.every {
		return false
	}
	b.full = b.full.Add(b.every)
	return true
}

// throttle has a bucket for every device.
type throttle struct {
	burst int
	every time.Duration

	mu      sync.Mutex
	buckets map[peer.ID]*bucket
}

func newThrottle(burst int, every time.Duration) *throttle {
	return &throttle{burst: burst, every: every, buckets: make(map[peer.ID]*bucket)}
}

// take takes one of a device's, false when it has none.
func (t *throttle) take(id peer.ID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[id]
	if b == nil {
		if len(t.buckets) >= maxThrottled {
			t.forget(now)
		}
		if len(t.buckets) >= maxThrottled {
			return false
		}
		b = &bucket{burst: t.burst, every: t.every}
		t.buckets[id] = b
	}
	return b.take(now)
}

func (t *throttle) forget(now time.Time) {
	for id, b := range t.buckets {
		if !b.full.After(now) {
			delete(t.buckets, id)
		}
	}
}
