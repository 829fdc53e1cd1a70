package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Incoming is a dialer that was admitted and has no answer yet. A Handler gives
// it one, by Accept or Refuse, while it runs; if it does not, the dialer is
// refused with wire.Internal. What the dialer has written behind its Open waits.
//
//	handled ─┬─ Accept ──▶ OpenReply, a Conn
//	         ├─ Refuse ──▶ OpenReply{code, reason}
//	         └─ return ──▶ OpenReply{internal}
//
// On a secure pipe, whose dialer has proved itself by then, the OpenReply has
// gone before: there a refusal resets the connection with the code.
type Incoming struct {
	// Fixed after newIncoming.
	s        *Service
	l        *Listener
	c        carrier
	o        opening
	of       share
	deadline time.Time

	// Owned by the goroutine of the handler.
	answered bool
	ctx      context.Context
	cancel   context.CancelFunc
	watching sync.WaitGroup
}

// answerMargin is the part of the time of an opening that is left to the answer
// on its way when a handler's own is over.
const answerMargin = 10

var (
	errAnswered error = wire.Errorf(wire.Closed, "the dialer has its answer already")
	// ErrProbe is what Accept gives for a probe.
	ErrProbe error = wire.Errorf(wire.Closed, "a probe opens no connection")
)

// handle has the listener's handler answer an admitted dialer, for which there
// is a place.
func (s *Service) handle(ctx context.Context, l *Listener, c carrier, o opening, of share) error {
	most := s.cfg.Limits.OpenTimeout
	i := &Incoming{s: s, l: l, c: c, o: o, of: of, ctx: ctx, deadline: time.Now().Add(most - most/answerMargin)}
	if l.advertisement.Type == TypeSecure {
		if err := s.prove(l, c, o); err != nil {
			s.places.give(of)
			c.drop()
			return err
		}
	}
	l.handler(i)
	if i.cancel != nil {
		i.cancel()
		i.watching.Wait()
	}
	if !i.answered {
		return i.Refuse(wire.Errorf(wire.Internal, "the handler gave no answer"))
	}
	return nil
}

// Accept answers that the connection is accepted, and returns it. Of a probe it
// is ErrProbe, and that of a dialer which has gone is its end.
func (i *Incoming) Accept() (*Conn, error) {
	if i.answered {
		return nil, errAnswered
	}
	i.answered = true
	i.c.late = !i.o.probe
	if i.l.advertisement.Type != TypeSecure || i.o.probe {
		if _, err := i.s.agree(i.l, i.c, i.o); err != nil {
			i.s.places.give(i.of)
			i.c.drop()
			return nil, err
		}
	}
	if i.o.probe {
		i.s.places.give(i.of)
		i.c.Close()
		return nil, ErrProbe
	}
	conn, err := i.s.servedConn(i.l, i.c, i.o, i.of)
	if err != nil {
		i.c.drop()
		return nil, err
	}
	conn.settle(i.o.principal, nil)
	return conn, nil
}

// Refuse answers with the code and the words of err, and returns err.
func (i *Incoming) Refuse(err error) error {
	if i.answered {
		return errAnswered
	}
	i.answered = true
	i.s.places.give(i.of)
	if wire.CodeOf(err) == wire.OK {
		err = wire.Errorf(wire.Internal, "refused without a reason")
	}
	if i.l.advertisement.Type == TypeSecure && !i.o.probe {
		i.c.resetWith(wire.CodeOf(err), reasonOf(err))
		return err
	}
	return i.s.refuse(i.c, err, nil)
}

// Pipe is what was dialled.
func (i *Incoming) Pipe() ID { return i.l.pipe }

// Principal is who dials: proven by signature on a secure pipe, by the path's
// handshake otherwise.
func (i *Incoming) Principal() identity.Principal { return i.o.principal }

// Peer is the node that dials.
func (i *Incoming) Peer() peer.ID { return i.c.opened.peer }

// Transport is that of the path; empty within one node.
func (i *Incoming) Transport() reach.Transport { return i.c.opened.transport }

// RemoteEndpoint is the dialer's address on that path; nil within one node.
func (i *Incoming) RemoteEndpoint() ma.Multiaddr { return i.c.opened.remote }

// Hops is how many gateways the data has gone through before the dialer, by its
// own word: 0 to MaxHops.
func (i *Incoming) Hops() int { return i.o.hops }

// ID names the link, at both ends; zero for a raw stream and within one node.
func (i *Incoming) ID() link.ID {
	if i.c.link == nil {
		return link.ID{}
	}
	return i.c.link.ID()
}

// Probe reports that the dialer only asks whether it would be accepted.
func (i *Incoming) Probe() bool { return i.o.probe }

// Context ends when the dialer has gone, as far as its carrier tells (a raw
// stream does not), when the time of the opening is nearly over, when the
// service closes, and when the handler returns.
func (i *Incoming) Context() context.Context {
	if i.cancel != nil {
		return i.ctx
	}
	i.ctx, i.cancel = context.WithDeadline(i.ctx, i.deadline)
	if gone := i.c.gone(); gone != nil {
		i.watching.Go(func() {
			select {
			case <-gone:
				i.cancel()
			case <-i.ctx.Done():
			}
		})
	}
	return i.ctx
}
