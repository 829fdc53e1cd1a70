package roster

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sighting is a binding on a presence pipe.
type sighting struct {
	device peer.ID
	seq    uint64
	until  time.Time
}

// found ends a look. The error is that of resolving, nil if somebody is there.
func (b *book) found(c *contact, at pipe.ID, all []sighting, err error, now time.Time) {
	b.running[look]--
	c.looking = false
	if c.presence == nil || c.presence.ID() != at {
		return // it was for a secret of before
	}
	others := 0
	c.forget(now)
	for _, s := range all[:min(len(all), maxSightings)] {
		d := c.device(s.device)
		if s.seq > d.seq {
			d.dead = false // it has signed since it was lost
			d.seq, d.until = s.seq, s.until
		}
		if s.device != b.self {
			others++
		}
	}
	switch {
	case others > 0 && !c.glanced:
		c.glanced, c.missed, c.looked = true, 0, true
		c.nextLook = now.Add(glance)
	case others > 0:
		c.glanced, c.missed, c.looked = false, 0, true
		c.nextLook = now.Add(lookAgain)
	case err == nil || wire.CodeOf(err) == wire.Unbound:
		for _, d := range c.devices {
			d.over = d.seq
		}
		c.glanced, c.looked = false, true
		c.missed++
		c.nextLook = now.Add(lookAgain)
		if c.near(now) {
			c.nextLook = now.Add(min(backoff(c.missed), lookSoon)) // both may be about to come
		}
	default: // nobody answered: the overlay is not there, not the buddy
		c.glanced = false
		c.missed++
		c.nextLook = now.Add(backoff(c.missed))
	}
}

// maxSightings caps the devices that a look takes in, and those that are kept
// without a reason: whoever has the presence key may have any number bind.
const maxSightings = 2 * identity.MaxDevices

// forget drops devices that are neither bound nor connected, above a cap.
func (c *contact) forget(now time.Time) {
	for id, d := range c.devices {
		idle := !d.bound(now)
		for _, s := range d.links {
			idle = idle && !s.live && !s.dialling
		}
		if idle && len(c.devices) > maxSightings {
			delete(c.devices, id)
		}
	}
}

// asked ends an ask.
func (b *book) asked(c *contact, err error, now time.Time) {
	b.running[ask]--
	c.asking = false
	c.nextAsk = now.Add(askAgain)
	if err != nil && c.standing != accepted && wire.CodeOf(err) != wire.Busy {
		c.nextAsk = now.Add(lookSoon)
	}
}

// dialled ends a dial. It failed if err is not nil; else the link has taken its
// place.
func (b *book) dialled(c *contact, id peer.ID, p buddy.Purpose, err error, now time.Time) {
	b.running[dial]--
	s := &c.device(id).links[p]
	s.dialling = false
	switch {
	case err == nil:
		s.failed, s.next = 0, time.Time{}
	case wire.CodeOf(err) == wire.Taken:
		s.next = now.Add(tieWait)
	default:
		if d := c.device(id); wire.CodeOf(err) == wire.Unbound && p == buddy.PurposeRoster {
			d.over = d.seq // it serves the pipe no more, or not for this account
		} else if code := wire.CodeOf(err); p == buddy.PurposeRoster && (code == wire.Unreachable || code == wire.Timeout || code == wire.Gone) {
			d.dead = true
		}
		s.failed++
		s.next = now.Add(backoff(s.failed))
	}
}

// stands notes a link that has taken its place.
func (b *book) stands(c *contact, id peer.ID, p buddy.Purpose, mine bool, run buddy.Run, number uint64) {
	d := c.device(id)
	s := &d.links[p]
	s.live, s.dialled, s.run, s.number, s.asked = true, mine, run, number, false
	if p == buddy.PurposeRoster {
		d.dead, d.over = false, 0
	}
}

// ended notes that a link is over, unless another has taken its place. left: the
// device said that it goes offline; lost: it was not heard of any more.
func (b *book) ended(c *contact, id peer.ID, p buddy.Purpose, number uint64, left, lost bool, now time.Time) {
	d := c.device(id)
	s := &d.links[p]
	if !s.live || s.number != number {
		return
	}
	s.live, s.asked = false, false
	s.next = now.Add(firstWait)
	if p != buddy.PurposeRoster {
		return
	}
	c.seen = now
	if left {
		d.over = d.seq
	}
	d.dead = lost
	if again := now.Add(lookSoon); (left || lost) && c.nextLook.After(again) {
		c.nextLook = again
	}
}
