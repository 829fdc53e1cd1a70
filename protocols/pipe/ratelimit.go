package pipe

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	maxBuckets  = 4096 // peers whose use is remembered
	evictSample = 16   // of them that are compared when one must go
)

// rateLimiter holds a token bucket for each peer.
type rateLimiter struct {
	rate  float64 // tokens per second
	burst float64

	mu      sync.Mutex
	buckets map[peer.ID]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRateLimiter(rate float64, burst int) *rateLimiter {
	return &rateLimiter{rate: rate, burst: float64(burst), buckets: make(map[peer.ID]bucket)}
}

// allow takes one token of p, and reports false when there is none.
func (r *rateLimiter) allow(p peer.ID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[p]
	if !ok {
		if len(r.buckets) >= maxBuckets {
			r.evictLocked(now)
		}
		b = bucket{tokens: r.burst, at: now}
	}
	b = r.filled(b, now)
	if b.tokens < 1 {
		r.buckets[p] = b
		return false
	}
	b.tokens--
	r.buckets[p] = b
	return true
}

func (r *rateLimiter) filled(b bucket, now time.Time) bucket {
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.tokens = min(r.burst, b.tokens+gone*r.rate)
	}
	b.at = now
	return b
}

// evictLocked forgets the fullest of a few buckets, in the map's random order.
// Its owner gains least by it, so that nobody can wash a spent bucket with a
// crowd of peer IDs.
func (r *rateLimiter) evictLocked(now time.Time) {
	var fullest peer.ID
	most := -1.0
	looked := 0
	for p, b := range r.buckets {
		if b = r.filled(b, now); b.tokens > most {
			fullest, most = p, b.tokens
		}
		if looked++; looked == evictSample {
			break
		}
	}
	delete(r.buckets, fullest)
}
