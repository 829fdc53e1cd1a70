package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// bindRight checks a capability to bind.
func (s *Service) bindRight(id ID, adv Advertisement, capability []byte) (identity.Capability, error) {
	self := s.cfg.principal()
	next := func(e *wire.Error) error {
		return e.WithNext("ask the owner to run: panpipe pipe grant %s --bind --to %s", id, self)
	}
	if len(capability) == 0 {
		return identity.Capability{}, next(wire.Errorf(wire.Forbidden, "pipe %s belongs to %s", id, adv.Owner))
	}
	c, err := identity.OpenCapability(capability)
	if err != nil {
		return c, err
	}
	if c.Issuer != adv.Owner {
		return c, next(wire.Errorf(wire.Forbidden, "capability is from %s, but pipe %s belongs to %s", c.Issuer, id, adv.Owner))
	}
	if err := c.Permit(self, identity.RightBind, id.Bytes(), time.Now()); err != nil {
		return c, next(wire.Errorf(wire.CodeOf(err), "%w", err))
	}
	if s.revoked.revokes(id, c) {
		return c, next(wire.Errorf(wire.Forbidden, "capability is revoked"))
	}
	return c, nil
}

// disproved reports that a binding that a holder shows rests on a capability
// that others know to be revoked: a holder that has not heard of that yet, or
// lies, may be the first to answer. The rest of the publication tells.
func (l *Listener) disproved(ctx context.Context, p *publication, b Binding) bool {
	if _, granted := b.Grant(); !granted || b.Binder == l.s.cfg.principal() {
		return false
	}
	enough := time.NewTimer(revokedTime)
	defer enough.Stop()
	select {
	case <-p.over:
	case <-enough.C:
	case <-l.over:
	case <-ctx.Done():
	}
	return l.s.revoked.voids(b)
}

// permitted asks once more whether the right to bind is revoked. Whoever learns
// of it from now on finds the listener.
func (l *Listener) permitted() error {
	if l.capability != nil && l.s.revoked.revokes(l.pipe, l.grant) {
		return wire.Errorf(wire.Forbidden, "the capability to bind pipe %s is revoked", l.pipe).WithNext("ask the owner for a new one")
	}
	return nil
}
