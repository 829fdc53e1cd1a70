package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// attachment joins a leg of the trunk to a link. It is the leg's owner.
type attachment struct {
	l    *Link
	mleg leg        // guarded by l.mu
	leg  *trunk.Leg // fixed once the machine knows mleg
	// Guarded by l.mu.
	judging bool // the far side's right to it is not settled
	dead    bool // the trunk has said the last of it
	record  *Leg
	bulk    bulk
}

func newAttachment(l *Link) *attachment {
	a := &attachment{l: l}
	a.mleg = *newLeg(a)
	return a
}

func (a *attachment) ready(soon bool) {
	if soon {
		a.leg.ReadySoon()
		return
	}
	a.leg.Ready()
}

func (a *attachment) release() {
	if a.leg != nil {
		a.leg.Release()
	}
}

// Pull is part of trunk.Owner.
func (a *attachment) Pull(_ *trunk.Leg, out *trunk.Outbox) (more bool) {
	a.l.mu.Lock()
	sent := a.l.m.out.next
	more = a.l.m.pull(&a.mleg, out)
	if now := a.l.m.out.next; now > sent {
		a.sentLocked(now - sent)
	}
	a.l.unlock(true)
	return more
}

// Receive is part of trunk.Owner. What breaks the rules of the link ends the
// link, not the carrier, which has other links.
func (a *attachment) Receive(_ *trunk.Leg, k trunk.Kind, in *trunk.Inbox) error {
	if k != kindData {
		b, err := in.Small(maxOpening)
		if err != nil {
			return err
		}
		a.l.mu.Lock()
		a.controlLocked(k, b)
		a.l.unlock(true)
		return nil
	}
	n := in.Len()
	if n <= trunk.MaxSmall {
		b, err := in.Next(n)
		if err != nil {
			return err
		}
		a.l.mu.Lock()
		off, counts := a.placeLocked(n)
		if d := a.l.drain; counts && d.takesLocked(off) {
			d.busy = true
			a.l.m.pass(n, a.nowLocked())
			a.l.unlock(true)
			d.bring(b)
			return nil
		}
		if counts {
			a.l.m.in.takeBytes(off, b)
			a.l.m.arrived(a.nowLocked())
		}
		a.l.unlock(true)
		return nil
	}
	// The bytes go straight into memory of the link's own, without its lock.
	c := newChunk(n)
	if err := in.Full(c.b[:n]); err != nil {
		c.free()
		return err
	}
	a.l.mu.Lock()
	if off, counts := a.placeLocked(n); counts {
		a.l.m.in.take(off, c, n)
		a.l.m.arrived(a.nowLocked())
	} else {
		c.free()
	}
	a.l.unlock(true)
	return nil
}

func (a *attachment) controlLocked(k kind, b []byte) {
	if a.judging {
		if off, err := parseOffset(b); k == kindSeek && err == nil {
			a.mleg.in = off
		}
		return
	}
	now := time.Now()
	if a.mleg.asking && a.answeredLocked(k, b, now) {
		return
	}
	if err := a.l.m.control(&a.mleg, k, b, now); err != nil {
		a.violatedLocked(err)
	}
	switch {
	case k == kindResumed && !a.mleg.asking:
		a.heardLocked(now)
	case k == kindRefused && a.l.m.lostWhy != nil:
		a.unansweredLocked(a.l.m.lostWhy)
	}
}

func (a *attachment) placeLocked(n int) (off uint64, counts bool) {
	if a.judging { // the bytes will be asked for again
		if a.mleg.in < maxOffset {
			a.mleg.in += uint64(n)
		}
		return 0, false
	}
	off, counts, err := a.l.m.place(&a.mleg, n)
	if err != nil {
		a.violatedLocked(err)
	}
	if counts {
		a.record.BytesIn += uint64(n)
		a.bulk.bytes += uint64(n)
	}
	return off, counts && err == nil
}

// nowLocked is the time for the machine's arrived, as long as it asks for it.
func (a *attachment) nowLocked() (now time.Time) {
	if a.l.m.waits() {
		now = time.Now()
	}
	return now
}

// violatedLocked ends a link whose far side broke its rules.
func (a *attachment) violatedLocked(err error) {
	a.l.links.hostile(a.l.far, err)
	a.l.m.abort(wire.CodeOf(err), err.Error())
}

// Datagram is part of trunk.Owner.
func (a *attachment) Datagram(_ *trunk.Leg, b []byte) {
	a.l.mu.Lock()
	if a.l.m.inUse(&a.mleg) && a.l.m.over == nil {
		a.l.data.put(b)
	}
	a.l.mu.Unlock()
}

// Lost is part of trunk.Owner.
func (a *attachment) Lost(leg *trunk.Leg, cause error) {
	a.l.mu.Lock()
	a.dead = true
	a.mleg.returned()
	if a.judging && !a.mleg.opener { // the machine does not know it
		a.l.mu.Unlock()
		return
	}
	now := time.Now()
	if a.mleg.asking {
		a.l.m.refusals++ // whoever tries again at once would do so without end
	}
	if wire.CodeOf(cause) == wire.Closed {
		a.l.m.left(&a.mleg, now)
	} else {
		a.l.m.lost(&a.mleg, cause, now)
	}
	a.unansweredLocked(cause)
	a.endedLocked(cause, now)
	a.l.unlock(true)
	a.l.links.stir()
}
