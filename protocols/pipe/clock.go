package pipe

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Caps of what is remembered of other nodes' clocks.
const (
	maxClocks = 64
	clockLife = time.Hour
)

// clocks remembers by how much the clocks of nodes that answered differ from
// this one's. Each node counts once, so that a median of many is moved by a
// majority alone. Nothing in the protocol depends on it: it is for diagnosis.
type clocks struct {
	mu    sync.Mutex
	known map[peer.ID]clockOffset
}

type clockOffset struct {
	ahead time.Duration // this clock, of theirs
	at    time.Time
}

// note takes in a clock that a node told in an answer to what was asked at
// sent and answered at got. The clock is compared with the middle of the two.
func (c *clocks) note(p peer.ID, theirs, sent, got time.Time) {
	if theirs.IsZero() {
		return
	}
	// Without the monotonic reading, which is not what others are told.
	middle := sent.Add(got.Sub(sent) / 2).Round(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[peer.ID]clockOffset)
	}
	if _, ok := c.known[p]; !ok && len(c.known) >= maxClocks {
		c.forgetLocked()
	}
	c.known[p] = clockOffset{middle.Sub(theirs), got}
}

// forgetLocked makes room by dropping the oldest.
func (c *clocks) forgetLocked() {
	var oldest peer.ID
	for p, o := range c.known {
		if oldest == "" || o.at.Before(c.known[oldest].at) {
			oldest = p
		}
	}
	delete(c.known, oldest)
}

// median is by how much this clock is ahead of those of others, and how many
// there are.
func (c *clocks) median(now time.Time) (ahead time.Duration, nodes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for p, o := range c.known {
		if now.Sub(o.at) > clockLife {
			delete(c.known, p)
			continue
		}
		all = append(all, o.ahead)
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2], len(all)
}

// ClockAhead is by how much this node's clock is ahead of those of the nodes
// that answered within the last hour, by their median, and how many they are. It
// is for diagnosis: any node may lie about its clock.
func (s *Service) ClockAhead() (ahead time.Duration, nodes int) { return s.clocks.median(time.Now()) }
