package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// prove verifies a record of an answer in full: an answer proves itself, and
// who gave it does not matter, except for its word that it is the binder.
func (x *search) prove(from peer.ID, r AnswerRecord) (Found, error) {
	now := time.Now()
	f := Found{
		Envelope: r.Envelope, From: from, Origin: r.Origin, Age: r.Age, Unproven: r.Unproven, received: now,
	}
	b, ok := x.verified(r.Envelope)
	if !ok {
		var err error
		if b, err = x.s.openBindingOf(x.id, r.Envelope, now); err != nil {
			return Found{}, err
		}
	}
	f.Binding = b
	if f.Origin == OriginAuthoritative && b.Binder != identity.PeerPrincipal(from) {
		return Found{}, wire.Errorf(wire.BadRequest, "node %s claims to be the binder %s", from, b.Binder)
	}
	if f.Origin == OriginAuthoritative {
		f = unseen(f)
	}
	return f, nil
}

// verified finds a record that was verified before: several holders give the
// same one.
func (x *search) verified(envelope []byte) (Binding, bool) {
	x.mu.Lock()
	f, ok := x.known.find(envelope)
	x.mu.Unlock()
	if !ok {
		cached := x.s.cache.records(x.id)
		f, ok = cached.find(envelope)
	}
	return f.Binding, ok
}

// openBindingOf verifies an envelope as a record of this pipe. One that is over
// passes on an exclusive pipe, where it still proves that lower terms are dead.
func (s *Service) openBindingOf(id ID, envelope []byte, now time.Time) (Binding, error) {
	b, err := s.openBinding(envelope)
	if err != nil {
		return Binding{}, err
	}
	if b.Pipe != id {
		return Binding{}, wire.Errorf(wire.BadRequest, "binding of another pipe, %s", b.Pipe)
	}
	s.learnLog(b.log, false) // the log counts, whatever becomes of the binding
	err = b.InTime(now)
	if wire.CodeOf(err) == wire.Expired && b.Advertisement.Binders == Exclusive {
		err = nil
	}
	return b, err
}

// maxHostile is how many records, and how many revocations, of one answer may
// turn out to be no good before the rest of them is dropped unread: each costs
// signatures to verify, and no honest node gives any.
const maxHostile = 4

// readRevocations verifies the revocations of an answer and applies them.
func (s *Service) readRevocations(id ID, envelopes [][]byte) {
	hostile := 0
	for _, envelope := range envelopes {
		if !s.readRevocation(id, envelope) {
			hostile++
		}
		if hostile == maxHostile {
			return
		}
	}
}

// readRevocation verifies a revocation of a pipe and applies it. It is false
// for one that is no good.
func (s *Service) readRevocation(id ID, envelope []byte) bool {
	if s.revoked.knows(id, envelope) {
		return true
	}
	now := time.Now()
	r, err := openRevocation(envelope, s.logs.read)
	if err == nil && r.Pipe != id {
		err = wire.Errorf(wire.BadRequest, "revocation of another pipe, %s", r.Pipe)
	}
	if err == nil {
		err = r.InTime(now)
	}
	if err != nil {
		s.hostile(err)
		return false
	}
	s.learnRevocation(r, envelope, now)
	return true
}

// learnRevocation applies a verified revocation to the cache and to this
// node's own listener, unless the device that has signed it is revoked itself.
func (s *Service) learnRevocation(r Revocation, envelope []byte, now time.Time) {
	s.learnLog(r.log, false)
	if s.known.silences(r.speaker) {
		return
	}
	s.revoked.add(r.Pipe, r.Nonce, r.Expiry, envelope, now)
	s.cache.void(r.Pipe, now, r.Voids)
	s.mu.Lock()
	l := s.listeners[r.Pipe]
	s.mu.Unlock()
	if l != nil {
		l.revokedBy(r)
	}
}
