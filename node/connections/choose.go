package connections

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// How long a new connection is not closed.
const (
	idleGrace = 3 * time.Second  // dial, identify and a question on a slow path
	busyGrace = 20 * time.Second // while a stream is open
)

// standing is what there is to know about a connected node.
type standing struct {
	peer      peer.ID
	conns     int
	since     time.Time // when the first of them was made
	value     int       // of its tags
	protected bool
	busy      bool // a stream of a foreground protocol is open
}

// grace is how much longer the node's connections are not closed, 0 if they
// may be.
func (s standing) grace(now time.Time) time.Duration {
	age := now.Sub(s.since)
	switch {
	case age < idleGrace:
		return idleGrace - age
	case s.busy && age < busyGrace:
		return min(idleGrace, busyGrace-age) // the stream may end before
	}
	return 0
}

// kept is how many connections out of their grace are left to a node that may
// have limit.
func kept(limit int) int { return limit / 2 }

// choose picks the nodes to part with, for no more than limit connections. When
// that does not suffice yet, but will when a time of grace is over, again tells
// how long to wait; else it is 0.
func choose(all []standing, limit int, now time.Time) (parting []peer.ID, again time.Duration) {
	total, ripe := 0, 0
	var free []standing
	for _, s := range all {
		total += s.conns
		if s.protected {
			continue
		}
		if left := s.grace(now); left > 0 {
			if again == 0 || left < again {
				again = left
			}
			continue
		}
		free = append(free, s)
		ripe += s.conns
	}
	if total <= limit {
		return nil, 0
	}
	slices.SortFunc(free, leastUsefulFirst)
	surplus := min(total-(limit-limit/10), ripe-kept(limit))
	for _, s := range free {
		if surplus <= 0 {
			break
		}
		parting = append(parting, s.peer)
		surplus -= s.conns
		total -= s.conns
	}
	if total <= limit {
		again = 0
	}
	return parting, again
}

// leastUsefulFirst sorts. Both ends of a connection see its age alike, as they
// do the worth that discovery gives it, so they agree about what goes.
func leastUsefulFirst(a, b standing) int {
	if c := cmp.Compare(a.value, b.value); c != 0 {
		return c
	}
	if a.busy != b.busy {
		if b.busy {
			return -1
		}
		return 1
	}
	return b.since.Compare(a.since)
}
