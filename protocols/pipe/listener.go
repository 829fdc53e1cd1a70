package pipe

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Listener is a pipe that this node serves: a net.Listener. It renews its
// binding until it is closed or loses the pipe.
//
//	bound ─┬─ Close ──────────────────▶ over: Accept gives net.ErrClosed
//	       ├─ another binder has it ──▶ over: wire.Replaced
//	       └─ capability revoked ─────▶ over: wire.Forbidden; expired: wire.Expired
type Listener struct {
	// Fixed after newListener.
	s             *Service
	pipe          ID
	advertisement Advertisement
	life          time.Duration
	capability    []byte             // nil for the owner
	account       identity.Principal // that this end speaks for; nobody if it is the node alone
	as            func() *identity.DeviceLog
	relayedOnly   bool
	grant         identity.Capability   // what capability says
	auto          bool                  // the owner's term rises as needed
	raw           bool                  // serves raw streams, no links
	handler       func(*Incoming)       // instead of Accept; nil for that
	grace         time.Duration         // of links; zero is what their dialers ask for
	fits          func(reach.Path) bool // what may carry a link
	back          any                   // a way, the key of the routes back to dialers
	incoming      chan *Conn
	next          chan *publication // of the next record, from the Service's renewals
	heard         acknowledged
	waiting       *shares // of incoming, by who dialled
	permits       permits
	replaced      chan struct{}
	over          chan struct{}
	unkeep        func()      // lets go of the pipe's revocations and logs; set by register
	losing        atomic.Bool // another binder is being stored: no record may be signed
	weighing      atomic.Bool // asks whether another binder's capability is revoked
	overOnce      sync.Once
	closeOnce     sync.Once
	withdrawn     chan struct{} // closed when Close is through

	mu       sync.Mutex // guards what follows
	binding  Binding    // as last signed; zero before
	envelope []byte
	signed   time.Time
	holders  int
	asked    map[peer.ID]copyState // what other nodes did with the record
	near     int                   // copies among the nodes near the key at the first look; 0 = not looked yet
	kept     bool                  // bound, so that it is to be renewed
	due      time.Time             // of the next record
	atLeast  uint64                // its seq
	retry    time.Duration         // pause after which an unheard record is repeated; 0 = it was heard
	contests damper                // of records in the way of which nothing came
	allow    map[identity.Principal]bool
	anyone   bool   // the list has everybody
	unlist   func() // lets go of the logs of accounts on the list; nil for none
	watchers map[*watched]struct{}
	err      error // what Accept gives when over
}

// ListenerStatus tells how a binding stands.
type ListenerStatus struct {
	Binding  Binding // the record as last signed
	Holders  int     // nodes known to hold it, this one counted if it does
	Replaced bool    // another binder has the pipe
}

// Accept waits for the next connection; there is none where a Handler takes them. On a secure pipe its principal is
// proven by then.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.over:
		return nil, l.failure()
	default:
	}
	select {
	case c := <-l.incoming:
		l.waiting.give(c.waits)
		return c, nil
	case <-l.over:
		return nil, l.failure()
	}
}

// Addr is the pipe, an Addr.
func (l *Listener) Addr() net.Addr { return Addr{Pipe: l.pipe, Peer: l.s.cfg.Self} }

// Pipe returns the pipe's ID.
func (l *Listener) Pipe() ID { return l.pipe }

// Advertisement describes the pipe.
func (l *Listener) Advertisement() Advertisement { return l.advertisement }

// Replaced is closed when another binder has taken the pipe.
func (l *Listener) Replaced() <-chan struct{} { return l.replaced }

// SetAllow replaces the list of who may dial, which has everybody with anyone;
// connections that are open stay.
func (l *Listener) SetAllow(allow []identity.Principal, anyone bool) {
	set := make(map[identity.Principal]bool, len(allow))
	for _, p := range allow {
		set[p] = true
	}
	release := l.s.known.keepAll(set)
	l.mu.Lock()
	l.allow, l.anyone = set, anyone
	before := l.unlist
	l.unlist = release
	l.mu.Unlock()
	if before != nil {
		before()
	}
	if isClosed(l.over) {
		l.dropList()
	}
	l.judgeWatchers()
}

// dropList lets go of the logs of accounts on the list.
func (l *Listener) dropList() {
	l.mu.Lock()
	release := l.unlist
	l.unlist = nil
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// gate is what dialers are judged by now.
func (l *Listener) gate(now time.Time, logs identity.LogReader) gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := gate{advertisement: l.advertisement, pipe: l.pipe, allow: l.allow, anyone: l.anyone, now: now}
	g.open = func(envelope []byte) (identity.Capability, error) {
		return l.permits.open(g.advertisement.Owner, envelope, logs)
	}
	g.revoked = func(c identity.Capability) bool { return l.s.revokes(l.pipe, c) }
	g.silenced = l.s.known.silences
	return g
}

// Status tells how the binding stands.
func (l *Listener) Status() ListenerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ListenerStatus{Binding: l.binding, Holders: l.holders, Replaced: isClosed(l.replaced)}
}

// Close stops to serve and withdraws the binding, for which it takes at most 3
// seconds. Connections that were accepted stay open. It is idempotent.
func (l *Listener) Close() error {
	l.closeBy(func() { l.withdraw(context.Background()) })
	return nil
}

// closeBy stops to serve, the first time, and withdraws what was bound.
func (l *Listener) closeBy(withdraw func()) {
	l.closeOnce.Do(func() {
		defer close(l.withdrawn)
		if l.end(net.ErrClosed) {
			withdraw()
		}
	})
	<-l.withdrawn
}

// end makes the listener stop, for the reason that Accept then gives. It
// reports false if it had stopped before.
func (l *Listener) end(why error) (first bool) {
	l.overOnce.Do(func() {
		first = true
		l.mu.Lock()
		l.err = why
		l.mu.Unlock()
		l.s.forget(l)
		close(l.over)
		l.dropList()
		l.dropIncoming()
		l.endWatchers(why)
	})
	return first
}

// dropIncoming resets the connections that nobody will accept.
func (l *Listener) dropIncoming() {
	for {
		select {
		case c := <-l.incoming:
			l.waiting.give(c.waits)
			c.Reset()
		default:
			return
		}
	}
}

func (l *Listener) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// takes has a link follow the listener's options, and refuses it where raw
// streams are wanted.
func (l *Listener) takes(of *link.Link) bool {
	if l.raw {
		of.Reset(wire.Unsupported, "this pipe is served on raw streams")
		return false
	}
	if l.grace > 0 {
		of.SetGrace(l.grace)
	}
	of.Only(l.fits)
	of.SetKey(l.back)
	return true
}

// room takes a place for a connection among those that wait to be accepted.
func (l *Listener) room(of share) error {
	if most, ok := l.waiting.take(of); !ok {
		return wire.Errorf(wire.Busy, "connections wait to be accepted: %d, of which a peer may have %d", l.waiting.used(), most)
	}
	return nil
}

// offer hands over an accepted connection that has a place.
func (l *Listener) offer(c *Conn) {
	l.incoming <- c // has room for as many as there are places
	if isClosed(l.over) {
		l.dropIncoming()
	}
}

// found is the listener's own binding as a resolver sees it, false when it
// serves no more.
func (l *Listener) found() (Found, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.envelope == nil || isClosed(l.over) {
		return Found{}, false
	}
	return Found{
		Binding: l.binding, Envelope: l.envelope, From: l.s.cfg.Self,
		Origin: OriginAuthoritative, received: l.signed,
	}, true
}

// revokedBy stops the listener if its own right was revoked.
func (l *Listener) revokedBy(r Revocation) {
	if l.capability == nil || l.grant.Nonce != r.Nonce {
		return
	}
	l.end(wire.Errorf(wire.Forbidden, "the capability to bind pipe %s is revoked", l.pipe).
		WithNext("ask the owner for a new one"))
}
