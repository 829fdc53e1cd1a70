package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// A dial that has its candidates from the cache does not wait for anybody, but
// it does not trust the cache blindly either: while the candidate is dialled, a
// few nodes near the key are asked whether there is a newer record, and a
// candidate that does not answer in good time has the whole overlay asked.
const (
	confirmers   = 3               // nodes that are asked about a cached record
	confirmPause = 5 * time.Second // no more often than this for one pipe
	confirmTime  = 2 * time.Second // they are listened to for so long

	// A candidate on a path with a known round-trip time is late after twice
	// that, within these bounds; where nothing is known, after the upper one.
	soonestLate = 20 * time.Millisecond
	headStart   = 250 * time.Millisecond

	// A path on which a binder is silent for so long is in doubt.
	doubtAfter = 500 * time.Millisecond

	// A candidate holds up the next one for so long, and is tried again with
	// all the time there is when the others have failed too.
	patience = 1500 * time.Millisecond
)

// confirm asks the nodes nearest to a pipe's key what they know of it now. What
// it finds goes into the cache, whose watchers hear of it.
func (s *Service) confirm(ctx context.Context, id ID) {
	if !s.cache.confirmDue(id, time.Now()) {
		return
	}
	asked := s.nearest(id, confirmers)
	if len(asked) == 0 {
		return
	}
	x := s.start(ctx, id, wants(id, reach.Any, nil), plan{direct: asked})
	s.spawn(func(ctx context.Context) {
		enough := time.NewTimer(confirmTime)
		defer enough.Stop()
		select {
		case <-x.done:
		case <-enough.C:
		case <-ctx.Done():
		}
		x.stop()
	})
}

// nearest names n of the nodes that hold a pipe's records, as far as this node
// knows: those first to which there is a path, since they answer soonest.
func (s *Service) nearest(id ID, n int) []peer.AddrInfo {
	known := s.cfg.Router.Closer(id.Key(), Replication, s.cfg.Self)
	slices.SortStableFunc(known, func(a, b peer.AddrInfo) int { return s.distant(a.ID) - s.distant(b.ID) })
	return known[:min(n, len(known))]
}

// distant is 1 for a node to which there is no path.
func (s *Service) distant(p peer.ID) int {
	if len(s.cfg.Reach.Paths(p)) == 0 {
		return 1
	}
	return 0
}

// lateAfter is how long an answer over a path may take before it is late.
func lateAfter(p reach.Path) time.Duration {
	rtt := p.RTT()
	if rtt == 0 {
		return headStart
	}
	return min(max(2*rtt, soonestLate), headStart)
}

// confirmDue reports that a pipe's cached records have not been confirmed
// lately, and takes note that they are now.
func (c *cache) confirmDue(id ID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byID[id]
	if !ok {
		return false
	}
	e := el.Value.(*cached)
	if now.Sub(e.confirmed) < confirmPause {
		return false
	}
	e.confirmed = now
	return true
}
