package roster

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// actionKind is what is to be done.
type actionKind uint8

const (
	look actionKind = iota // for bindings on the contact's presence pipe
	ask                    // at its contact pipe
	dial                   // a link of the purpose to the device
	cut                    // the link of the purpose to the device
	actionKinds
)

// action is one thing to do now.
type action struct {
	kind    actionKind
	account identity.Principal
	device  peer.ID
	purpose buddy.Purpose
	pipe    pipe.Advertisement // of look and dial
	fresh   bool               // look: ask the overlay, whatever is at hand
	why     error              // of cut
}

// Bounds of what is done.
const (
	maxNear   = 64 // buddies that are connected at a time
	maxLooks  = 32 // at a time
	maxAsks   = 8
	maxDials  = 32
	lookAgain = pipe.DefaultLife / 2 // after a look, for most
	lookSoon  = time.Minute          // for those who are to be connected and are not there
	glance    = time.Second          // after somebody was found, for the others who had not answered yet
	askAgain  = 15 * time.Minute     // after an ask
	firstWait = time.Second          // after a failure, and twice as long after each more
	longWait  = 2 * time.Minute      // at most
	tieWait   = 5 * time.Second      // for the link of the other, who dials at the same time
)

// step returns what is to be done now, and when to look again if nothing happens
// before; zero is never.
func (b *book) step(now time.Time) (do []action, next time.Time) {
	places := maxNear
	for _, c := range b.byRank() {
		near := c.near(now) && (c.standing == own || places > 0)
		if near && c.standing != own && c.reachable(now) {
			places--
		}
		do = append(do, b.cuts(c, near)...)
		if now.Before(c.lingers) {
			next = sooner(next, c.lingers)
		}
		if !c.speaks() {
			continue
		}
		add := func(kind actionKind, most int, due time.Time, a action) bool {
			if due.After(now) {
				next = sooner(next, due)
				return false
			}
			if b.running[kind] >= most {
				return false // what ends one has step called again
			}
			b.running[kind]++
			a.kind, a.account = kind, c.account
			do = append(do, a)
			return true
		}
		if c.presence != nil && !c.looking && c.standing != requested {
			due := c.nextLook
			c.looking = add(look, maxLooks, due, action{pipe: *c.presence, fresh: !c.glanced})
		}
		if c.asks() && !c.asking {
			c.asking = add(ask, maxAsks, c.nextAsk, action{})
		}
		if near && c.presence != nil {
			b.dials(c, now, add)
		}
	}
	return do, next
}

// reachable reports whether some device of a contact takes a connection.
func (c *contact) reachable(now time.Time) bool {
	for _, d := range c.devices {
		if d.bound(now) || d.links[buddy.PurposeRoster].live {
			return true
		}
	}
	return false
}

// asks reports whether a contact is to be asked at its contact pipe: until it
// has accepted, and when it is not found where it was.
func (c *contact) asks() bool {
	switch c.standing {
	case requested:
		return true
	case accepted:
		return c.presence == nil || c.looked && c.missed > 0
	case own:
		return c.looked && c.missed > 0 && c.log != nil && len(c.log.Devices()) > 1
	}
	return false
}

// dials adds the dials to the devices of a contact.
func (b *book) dials(c *contact, now time.Time, add func(actionKind, int, time.Time, action) bool) {
	if c.standing == requested {
		return // it has yet to answer
	}
	for id, d := range c.devices {
		roster := &d.links[buddy.PurposeRoster]
		if id == b.self || c.revoked(id) || !d.bound(now) && !roster.live {
			continue
		}
		for p := buddy.PurposeRoster; p <= buddy.PurposeChat; p++ {
			s := &d.links[p]
			if s.live || s.dialling || p != buddy.PurposeRoster && roster.live && !roster.dialled {
				continue // whoever dialled the roster link dials the rest
			}
			s.dialling = add(dial, maxDials, s.next, action{device: id, purpose: p, pipe: *c.presence})
		}
	}
}

// cuts ends the links of those who may not, or need not, have any.
func (b *book) cuts(c *contact, near bool) (do []action) {
	for id, d := range c.devices {
		why := error(nil)
		roster := &d.links[buddy.PurposeRoster]
		switch {
		case !c.speaks():
			why = errUnbound
		case c.revoked(id):
			why = errRevoked
		case !near && !roster.asked && roster.dialled:
			why = errIdle
		default:
			continue
		}
		for p := buddy.PurposeRoster; p <= buddy.PurposeChat; p++ {
			if d.links[p].live {
				do = append(do, action{kind: cut, account: c.account, device: id, purpose: p, why: why})
			}
		}
	}
	return do
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// backoff is the pause after so many failures.
func backoff(failures int) time.Duration {
	return min(firstWait<<min(failures-1, 10), longWait)
}
