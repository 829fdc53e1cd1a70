package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// obstacle is a verified record that stands in the way of a binding.
type obstacle struct {
	binding  Binding
	envelope []byte
}

func (p *publication) readRevocations(a Answer) {
	p.s.readRevocations(p.record.Pipe(), a.Revocations)
}

// read takes in what became of the record at a holder. Revocations of its
// answer have been read before.
func (p *publication) read(from peer.ID, r StoreResult) {
	if r.Code == wire.OK {
		for _, envelope := range r.Displaced {
			p.displaced(envelope)
		}
		p.mark(from, stored)
		return
	}
	if r.Code != wire.NotClose {
		p.note(r.Err())
	}
	switch {
	case r.Code == wire.Forbidden && len(r.Standing) > 0:
		p.forbidden(r.Standing)
	case len(r.Standing) > 0:
		p.standing(r.Standing)
	}
	p.mark(from, refused)
}

// forbidden takes in why a holder says that this node has no right: a
// revocation, or the device log of the account by which this node, or whoever
// gave it the right, is no device.
func (p *publication) forbidden(standing []byte) {
	if by := p.record.speaker(); by.log == nil || !p.s.readStanding(by.account(), standing) {
		p.s.readRevocation(p.record.Pipe(), standing)
	}
}

// standing judges a record that a holder did not want to give up: it must be
// proven, and really stand in the way.
func (p *publication) standing(envelope []byte) {
	b, err := p.s.openBindingOf(p.record.Pipe(), envelope, time.Now())
	if err != nil || p.record.Binding == nil {
		p.s.hostile(wire.Errorf(wire.BadRequest, "holder shows a record that stands in nobody's way: %v", err))
		return
	}
	if p.yields(b, time.Now()) {
		p.block(b, envelope)
	}
}

// yields reports that the record must give way to b. One whose capability is
// revoked stands in nobody's way, and at one term an expired or withdrawn one
// of another binder does not either.
func (p *publication) yields(b Binding, now time.Time) bool {
	own := *p.record.Binding
	return !p.s.voids(b) && b.Beats(own) && (b.Binder == own.Binder || b.Term > own.Term || b.LiveAt(now))
}

func (p *publication) block(b Binding, envelope []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verdict == nil {
		p.verdict = &obstacle{b, envelope}
		close(p.blocked)
	}
}

// obstacle returns what stands in the way, nil if nothing does.
func (p *publication) obstacle() *obstacle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verdict
}
