package trunk

import "github.com/panpipe-net/panpipe/protocols/wire"

// legQueue is a queue of legs that leave.
type legQueue struct{ head, tail *Leg }

func (q *legQueue) push(l *Leg) {
	if q.head == nil {
		q.head = l
	} else {
		q.tail.leaving = l
	}
	q.tail = l
}

func (q *legQueue) pop() *Leg {
	l := q.head
	if q.head = l.leaving; q.head == nil {
		q.tail = nil
	}
	l.leaving = nil
	return l
}

// release takes a leg from its owner.
func (c *carrier) release(l *Leg, last *refusal, code wire.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.released || l.lost != nil {
		return
	}
	l.released, l.refusal, l.code = true, last, code
	c.settleLocked(l)
}

// leaveLocked has LEAVE written, once nobody calls the owner any more.
func (c *carrier) leaveLocked(l *Leg) {
	if c.ended {
		return
	}
	if !l.opened {
		delete(c.unopened, l)
		l.left = true
		c.forgottenLocked()
		return
	}
	if r := l.refusal; r != nil {
		if c.refusals >= c.t.cfg.Limits.Refusals || len(r.payload) > MaxRefusal {
			l.refusal, l.code = nil, wire.Busy
		} else {
			c.refusals++
		}
	}
	c.leaves.push(l)
	if l.refusal != nil || l.code != wire.OK || c.own {
		c.kickLocked()
		return
	}
	c.reportSoon() // nobody waits for it
}

// writeLeave puts the last frames of the first leg that leaves into b. It
// reports that there is room.
func (c *carrier) writeLeave(b *batch) bool {
	l := c.leaves.head
	if r := l.refusal; r != nil {
		if b.space() < MaxRefusal+3*maxHeader {
			return false
		}
		b.take(append(header{l.handle, r.kind, len(r.payload)}.append(b.free()), r.payload...))
		l.refusal = nil
		c.refusals--
	}
	b.take(appendLeave(b.free(), l.handle, l.code))
	c.leaves.pop()
	l.left = true
	if l.farLeft {
		c.forgetLocked(l)
	}
	return true
}

// forgetLocked forgets a leg that both sides have left.
func (c *carrier) forgetLocked(l *Leg) {
	delete(c.legs, l.handle)
	c.forgottenLocked()
}

func (c *carrier) forgottenLocked() {
	c.line.peer.legs.Add(-1)
	if c.legCount() == 0 {
		c.emptyLocked()
	}
}

// loseLocked has the owner told that its leg is gone. It unlocks mu for the
// call.
func (c *carrier) loseLocked(l *Leg, cause error) {
	if l.released || l.lost != nil || l.owner == nil {
		return
	}
	l.lost = cause
	c.settleLocked(l)
}

// callEndedLocked ends a call of the owner that was counted.
func (c *carrier) callEndedLocked(l *Leg) {
	l.calls--
	c.settleLocked(l)
}

// settleLocked does what had to wait until no call of the owner runs: the last
// call, and this side's LEAVE.
func (c *carrier) settleLocked(l *Leg) {
	if l.calls > 0 || !l.released && l.lost == nil || l.settled {
		return
	}
	l.settled = true
	if !l.released {
		c.mu.Unlock()
		l.owner.Lost(l, l.lost)
		c.mu.Lock()
	}
	if !l.left {
		c.leaveLocked(l)
	}
}
