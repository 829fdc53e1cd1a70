package trunk

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/quic-go/quic-go"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// line is what belongs to one path: its carriers, and the handles given there.
type line struct {
	t     *Trunks
	path  reach.Path
	given atomic.Uint64 // handles that this side gave, in its numbering
	odd   bool          // this side's handles are odd
	peer  *peerLegs

	// Guarded by t.mu.
	carriers           []*carrier
	opening            chan struct{} // closed when a shared carrier has been opened or not
	outgoing, incoming int           // carriers, by who opened them

	quic      *quic.Conn // whose datagrams belong to the line; nil if there are none
	datagrams datagramSender

	stopDatagrams context.CancelFunc // guarded by t.mu; nil before the first carrier
}

// peerLegs counts the legs with one peer.
type peerLegs struct {
	legs  atomic.Int64
	lines int // guarded by Trunks.mu
}

// oddSide tells whether self gives out the odd handles on a connection with
// far: the side whose peer ID is greater, as bytes, does.
func oddSide(self, far peer.ID) bool { return self > far }

// lineLocked gives the line of p. Those whose connection has ended are
// forgotten when a new one comes.
func (t *Trunks) lineLocked(p reach.Path) (*line, error) {
	if t.closed {
		return nil, errClosed()
	}
	if l := t.lines[p.Conn()]; l != nil {
		return l, nil
	}
	for conn, l := range t.lines {
		if conn.IsClosed() && len(l.carriers) == 0 && l.opening == nil && l.outgoing == 0 {
			t.forgetLocked(l)
		}
	}
	of := t.peers[p.Peer()]
	if of == nil {
		of = new(peerLegs)
		t.peers[p.Peer()] = of
	}
	of.lines++
	l := &line{t: t, path: p, odd: oddSide(t.cfg.Self, p.Peer()), peer: of}
	t.lines[p.Conn()] = l
	l.findDatagrams()
	return l, nil
}

func (t *Trunks) forgetLocked(l *line) {
	delete(t.lines, l.path.Conn())
	if l.peer.lines--; l.peer.lines == 0 {
		delete(t.peers, l.path.Peer())
	}
}

// handle gives out the next handle of this side.
func (l *line) handle() uint64 {
	n := l.given.Add(1)
	if l.odd {
		return 2*n - 1
	}
	return 2 * n
}

// mine tells whether a handle is of those that this side gives out.
func (l *line) mine(handle uint64) bool { return (handle%2 == 1) == l.odd }

// shared is a carrier that takes legs.
func (l *line) shared() *carrier {
	for _, c := range l.carriers {
		if c.takesLegs() {
			return c
		}
	}
	return nil
}

// owned is how many carriers this side has opened for one leg each.
func (l *line) owned() (n int) {
	for _, c := range l.carriers {
		if c.outgoing && c.own {
			n++
		}
	}
	return n
}

// removeLocked takes a carrier off.
func (l *line) removeLocked(c *carrier) {
	l.carriers = slices.DeleteFunc(l.carriers, func(o *carrier) bool { return o == c })
	if len(l.carriers) == 0 && l.stopDatagrams != nil {
		l.stopDatagrams()
	}
	if c.outgoing {
		l.outgoing--
	} else {
		l.incoming--
	}
	if len(l.carriers) == 0 && l.outgoing == 0 && l.path.Conn().IsClosed() && l.t.lines[l.path.Conn()] == l {
		l.t.forgetLocked(l)
	}
}

// leg finds the leg with a handle on whatever carrier.
func (l *line) leg(handle uint64) *Leg {
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	for _, c := range l.carriers {
		if leg := c.leg(handle); leg != nil {
			return leg
		}
	}
	return nil
}
