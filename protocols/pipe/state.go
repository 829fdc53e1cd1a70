package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// State is how far a node has come with a pipe. Each word claims no more than
// was seen: announced is not reachable, reachable is not connected.
type State string

// The states, from nothing to a connection.
const (
	StateUnbound   State = "unbound"   // no live record was found
	StateAnnounced State = "announced" // a live record was found
	StateReachable State = "reachable" // a binder answered a probe
	StateConnected State = "connected" // a connection of the pipe is open at this node, and has a path
)

// What a connection or a probe went over.
const (
	PathDirect = "direct"
	PathRelay  = "relay" // through a third node
)

// pathWord names what a path goes over.
func pathWord(direct bool) string {
	if direct {
		return PathDirect
	}
	return PathRelay
}

// stateOf decides on the state by what was found: a live record, how the probe
// of its binders ended (nil is accepted), and whether a connection is open.
func stateOf(found, connected bool, probe error) State {
	switch {
	case connected:
		return StateConnected
	case answered(probe):
		return StateReachable
	case found:
		return StateAnnounced
	}
	return StateUnbound
}

// answered reports whether a probe that ended so was answered by one who serves
// the pipe, be it with a refusal.
func answered(probe error) bool {
	switch wire.CodeOf(probe) {
	case wire.OK, wire.Forbidden, wire.Expired, wire.Busy, wire.Limit, wire.Refused:
		return true
	}
	return false
}

// openConns lists the connections of a pipe that are open at this node.
func (s *Service) openConns(id ID) []*Conn {
	s.mu.Lock()
	all := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	return slices.DeleteFunc(all, func(c *Conn) bool { return c.pipe != id || !c.isOpen() })
}

// doubtConns has the paths looked into that carry connections of a pipe, since
// somebody wants to know how they are: a path that died without a word would be
// shown for half a minute. wait returns when they are judged, or ctx ends.
func (s *Service) doubtConns(id ID) (wait func(ctx context.Context)) {
	var judged []<-chan struct{}
	for _, c := range s.openConns(id) {
		st, _ := c.carrier()
		if st.link == nil {
			continue
		}
		if p := st.link.Path(); !p.IsZero() {
			judged = append(judged, s.cfg.Reach.Doubt(p))
		}
	}
	return func(ctx context.Context) {
		for _, j := range judged {
			select {
			case <-j:
			case <-ctx.Done():
			}
		}
	}
}

// connected reports whether a connection of the pipe is open, and whether one
// of them is direct; and since when others, that are open too, wait for a path,
// zero for none.
func (s *Service) connected(id ID) (open, direct bool, waiting time.Time) {
	for _, c := range s.openConns(id) {
		if since := c.Waiting(); since.IsZero() {
			open, direct = true, direct || c.Direct()
		} else if waiting.IsZero() || since.Before(waiting) {
			waiting = since
		}
	}
	return open, direct, waiting
}

// isOpen reports whether the far side has accepted and nobody has closed.
func (c *Conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open && !isClosed(c.closed)
}
