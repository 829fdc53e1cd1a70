package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// learn takes a proven record into the cache. What this node holds of the pipe
// for others goes in with the first, and later ones as they are stored: so the
// cache alone has the newest that this node knows.
func (s *Service) learn(now time.Time, f Found) {
	id := f.Binding.Pipe
	if s.cache.add(id, now, f) {
		s.cache.add(id, now, s.heldFor(id.Key(), now)...)
	}
	s.yield(f, now)
}

// yield ends this node's own listener when a record that it has come across, in
// whatever way, takes the pipe from it.
func (s *Service) yield(f Found, now time.Time) {
	s.mu.Lock()
	l := s.listeners[f.Binding.Pipe]
	s.mu.Unlock()
	if l != nil && l.standing() && l.beatenBy(f.Binding, now) {
		s.spawn(func(ctx context.Context) { l.giveWay(ctx, f.Binding, f.Envelope) })
	}
}

// learnHeld takes what this node has just stored for another into the cache, if
// the pipe is there.
func (s *Service) learnHeld(d Deposit, r Record, now time.Time) {
	id := r.Pipe()
	if !s.cache.has(id) {
		return
	}
	s.learnLog(r.speaker().log, false)
	switch {
	case r.Revocation != nil:
		s.learnRevocation(*r.Revocation, r.Envelope, now)
	case r.Binding != nil && d.From != s.cfg.Self && !s.voids(*r.Binding):
		s.cache.add(id, now, Found{
			Binding: *r.Binding, Envelope: r.Envelope, From: s.cfg.Self, Origin: OriginHeld,
			Unproven: Unproven(r.Binding.Endpoints, d.SeenIP), received: now,
		})
	}
}

// heldFor returns the bindings that this node holds under a key.
func (s *Service) heldFor(key wire.Key, now time.Time) []Found {
	s.holderMu.Lock()
	h, _ := s.holder.Get(key, now)
	s.holderMu.Unlock()
	var out []Found
	for _, r := range h.Records {
		// Verified before it was held.
		b, err := openBinding(r.Envelope, s.logs.read)
		if err != nil || s.voids(b) || b.Binder == s.cfg.principal() {
			continue
		}
		out = append(out, Found{
			Binding: b, Envelope: r.Envelope, From: s.cfg.Self, Origin: OriginHeld, Age: r.Age,
			Unproven: r.Unproven, received: now,
		})
	}
	return out
}

// outlives notes a record that a revocation has voided: lower terms stay dead.
func (s *Service) outlives(b Binding, now time.Time) {
	if b.Advertisement.Binders == Exclusive && s.cache.raise(b.Pipe, now, b.Term) {
		s.cache.add(b.Pipe, now, s.heldFor(b.Pipe.Key(), now)...)
	}
}
