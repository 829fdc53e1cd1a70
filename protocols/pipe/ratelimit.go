package pipe

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	maxBuckets  = 4096 // peers, and groups, whose use is remembered
	evictSample = 16   // of them that are compared when one must go
	groupTimes  = 4    // an address group may ask so many times as much as one peer
)

// rateLimiter limits what peers, and the address groups that they are in, may
// ask for in a second. It counts requests, and in a Store each record, since
// each costs a signature to verify.
type rateLimiter struct {
	peers, groups *buckets
}

func newRateLimiter(rate float64, burst int) *rateLimiter {
	return &rateLimiter{newBuckets(rate, burst), newBuckets(groupTimes*rate, groupTimes*burst)}
}

// allow counts n requests of a peer in a group, empty for one that is exempt.
// It is Busy if that is more than they may ask for now.
func (r *rateLimiter) allow(p peer.ID, group string, n int, now time.Time) error {
	if !r.peers.take(string(p), n, now) {
		return tooFast("peer", r.peers.rate)
	}
	if group != "" && !r.groups.take(group, n, now) {
		return tooFast("address group (a /24 of IPv4, a /48 of IPv6)", r.groups.rate)
	}
	return nil
}

func tooFast(whose string, rate float64) error {
	return wire.Errorf(wire.Busy, "more than %v requests and records a second from this %s", rate, whose).
		WithNext("raise limits.requests")
}

// buckets holds a token bucket for each name.
type buckets struct {
	rate  float64 // tokens per second
	burst float64

	mu  sync.Mutex
	all map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newBuckets(rate float64, burst int) *buckets {
	return &buckets{rate: rate, burst: float64(burst), all: make(map[string]bucket)}
}

// take takes n tokens, or none and reports false when there are fewer. More
// than a full bucket costs a full bucket.
func (r *buckets) take(name string, n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.all[name]
	if !ok {
		if len(r.all) >= maxBuckets {
			r.evictLocked(now)
		}
		b = bucket{tokens: r.burst, at: now}
	}
	b = r.filled(b, now)
	cost := min(float64(n), r.burst)
	enough := b.tokens >= cost
	if enough {
		b.tokens -= cost
	}
	r.all[name] = b
	return enough
}

func (r *buckets) filled(b bucket, now time.Time) bucket {
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.tokens = min(r.burst, b.tokens+gone*r.rate)
	}
	b.at = now
	return b
}

// evictLocked forgets the fullest of a few buckets, in the map's random order.
// Its owner gains least by it, so that nobody can wash a spent bucket with a
// crowd of peer IDs.
func (r *buckets) evictLocked(now time.Time) {
	var fullest string
	most := -1.0
	looked := 0
	for name, b := range r.all {
		if b = r.filled(b, now); b.tokens > most {
			fullest, most = name, b.tokens
		}
		if looked++; looked == evictSample {
			break
		}
	}
	delete(r.all, fullest)
}
