package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Accept takes what peers open on the trunk. It is to be the trunk's Accept.
func (h *Links) Accept(leg *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
	b, err := in.Small(maxOpening)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindOpen:
		o, err := parseOpening(b)
		if err != nil {
			return nil, err
		}
		return h.opened(leg, o), nil
	case kindResume:
		r, err := parseResume(b)
		if err != nil {
			return nil, err
		}
		return h.resumed(leg, r), nil
	}
	return nil, wire.Errorf(wire.BadRequest, "a leg begins with frame %d", k)
}

// opened takes an OPEN, which may repeat one that has been taken.
func (h *Links) opened(leg *trunk.Leg, o opening) trunk.Owner {
	if l := h.find(o.id); l != nil {
		if l.m.dialer {
			return refuse(leg, refusal{code: wire.Taken})
		}
		return h.takeUp(l, leg, o.resume())
	}
	h.mu.Lock()
	serve := h.services[o.service]
	h.mu.Unlock()
	if serve == nil {
		return refuse(leg, refusal{code: wire.Unsupported})
	}
	if o.gen == 0 || o.gen > maxGenJump {
		return refuse(leg, refusal{code: wire.BadRequest})
	}
	grace := min(time.Duration(min(o.grace, uint64(h.cfg.MaxGrace/time.Millisecond)))*time.Millisecond, h.cfg.MaxGrace)
	l := h.newLink(newMachine(h.settings(o.id, o.service, false, grace)), leg.Peer(), Route{Peer: leg.Peer()})
	l.handled = true
	switch err := h.add(l); {
	case err == errTaken: // by the same OPEN on another carrier, just now
		return h.opened(leg, o)
	case err != nil:
		return refuse(leg, refusal{code: wire.CodeOf(err)})
	}
	a := h.takeUp(l, leg, o.resume())
	go func() { // add has counted it
		defer h.served(l)
		serve(l)
	}()
	return a
}

// resumed takes a RESUME.
func (h *Links) resumed(leg *trunk.Leg, r resume) trunk.Owner {
	l := h.find(r.id)
	if l == nil {
		return refuse(leg, refusal{code: wire.Gone})
	}
	return h.takeUp(l, leg, r)
}

// takeUp judges who wants to go on with a link, and gives it the leg.
func (h *Links) takeUp(l *Link, leg *trunk.Leg, r resume) trunk.Owner {
	l.mu.Lock()
	if !l.fitsLocked(leg.Path()) {
		l.mu.Unlock()
		return refuse(leg, refusal{code: wire.Unsupported})
	}
	verdict, no := l.m.judge(r, leg.Peer() == l.far, h.cfg.Self > leg.Peer())
	switch verdict {
	case claimRefused:
		l.mu.Unlock()
		if no.code == wire.Forbidden {
			h.hostile(leg.Peer(), wire.Errorf(wire.Forbidden, "a node that is no end of link %s asks for it", l.id))
		}
		return refuse(leg, no)
	case claimAuthorise:
		return l.claimFrom(leg, r)
	}
	a := newAttachment(l)
	a.leg = leg
	a.takenUpLocked(r)
	l.unlock(true)
	return a
}

// takenUpLocked gives the link a leg that the far side has opened.
func (a *attachment) takenUpLocked(r resume) {
	now := time.Now()
	why := WhyFar
	if a.l.history.count == 0 {
		why = WhyOpened
	}
	a.beganLocked(why, now)
	if err := a.l.m.resume(&a.mleg, r, now); err != nil {
		a.violatedLocked(err)
	}
}

// refuse answers an opening with no.
func refuse(leg *trunk.Leg, r refusal) trunk.Owner {
	leg.Refuse(kindRefused, r.append(nil))
	return nil
}
