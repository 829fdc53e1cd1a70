package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// authorise finds by what right the listener binds: this node is the owner, or a
// device of the account that is, or has the owner's capability.
func (l *Listener) authorise(o ListenOptions) error {
	if l.as != nil {
		log, err := l.s.speakAs(l.as())
		if err != nil {
			return err
		}
		l.account = log.Account()
	}
	owner := l.advertisement.Owner
	if owner == l.s.cfg.principal() || owner == l.account {
		l.auto = l.advertisement.Binders == Exclusive && o.Term == 0
		return nil
	}
	grant, err := l.s.bindRight(l.pipe, l.advertisement, o.Capability)
	if err != nil {
		return err
	}
	l.capability, l.grant = o.Capability, grant
	return nil
}

// owns reports that the listener binds as a device of the pipe's owner.
func (l *Listener) owns() bool {
	return !l.account.IsZero() && l.advertisement.Owner == l.account
}

// local is who this end of the listener's connections is: the account if that
// is proven to the other end.
func (l *Listener) local() identity.Principal {
	if l.advertisement.Type == TypeSecure && !l.account.IsZero() {
		return l.account
	}
	return l.s.cfg.principal()
}

// deviceLog is the log by which the listener speaks for its account now.
func (l *Listener) deviceLog() (*identity.DeviceLog, error) {
	log, err := l.s.speakAs(l.as())
	if err == nil && log.Account() != l.account {
		err = wire.Errorf(wire.Forbidden, "the device log is of %s, not of %s", log.Account(), l.account)
	}
	return log, err
}

// heed goes by a device log that has won over another: without its right the
// listener ends, and what it shows holders is brought up to date.
func (l *Listener) heed(log *identity.DeviceLog) {
	self, account := l.s.cfg.Self, log.Account()
	switch {
	case account == l.account && !log.Valid(self):
		l.end(silenced(speaker{self, log}).WithNext("link this device to its account again, or bind as another"))
	case l.capability != nil && account == l.grant.Issuer && !log.Valid(l.grant.Device):
		l.end(wire.Errorf(wire.Forbidden, "the capability to bind pipe %s is from a device that %s has revoked", l.pipe, account).
			WithNext("ask the owner for a new one"))
	case l.owns() && account == l.account:
		l.mu.Lock()
		l.dueLocked(l.upToDateLocked(l.due))
		l.mu.Unlock()
	}
	l.judgeWatchers()
}

// upToDateLocked is when the next record is due, given when it would be with
// the right device log in the last one.
func (l *Listener) upToDateLocked(due time.Time) time.Time {
	known := l.s.known.of(l.account)
	if !l.owns() || known == nil || l.binding.log == nil || known.Head() == l.binding.log.Head() {
		return due
	}
	return time.Now()
}

// bindRight checks a capability to bind.
func (s *Service) bindRight(id ID, adv Advertisement, capability []byte) (identity.Capability, error) {
	self := s.cfg.principal()
	next := func(e *wire.Error) error {
		return e.WithNext("ask the owner to run: panpipe pipe grant %s --bind --to %s", id, self)
	}
	if len(capability) == 0 {
		return identity.Capability{}, next(wire.Errorf(wire.Forbidden, "pipe %s belongs to %s", id, adv.Owner))
	}
	c, err := identity.LogReader(s.logs.read).OpenCapability(capability)
	if err != nil {
		return c, err
	}
	s.learnLog(c.Log, false)
	if c.Issuer != adv.Owner {
		return c, next(wire.Errorf(wire.Forbidden, "capability is from %s, but pipe %s belongs to %s", c.Issuer, id, adv.Owner))
	}
	if err := c.Permit(self, identity.RightBind, id.Bytes(), time.Now()); err != nil {
		return c, next(wire.Errorf(wire.CodeOf(err), "%w", err))
	}
	if s.revokes(id, c) {
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
	return l.s.voids(b)
}

// permitted asks once more whether the right to bind is revoked. Whoever learns
// of it from now on finds the listener.
func (l *Listener) permitted() error {
	if l.capability != nil && l.s.revokes(l.pipe, l.grant) {
		return wire.Errorf(wire.Forbidden, "the capability to bind pipe %s is revoked", l.pipe).WithNext("ask the owner for a new one")
	}
	return nil
}
