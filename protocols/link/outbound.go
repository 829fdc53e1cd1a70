package link

import "github.com/panpipe-net/panpipe/protocols/wire"

// outbound is the sending half of an end: what the application has written
// and the far side may still need. Pure.
//
//	0 ······ safe ━━━ received ━━━━━ next ━━━━━ sent ━━━━━ end ······ credit
//
// next goes back to received when a new leg takes over, so that sent, which
// never goes back, may be beyond it.
type outbound struct {
	q        queue  // safe to end
	received uint64 // mark of the far side
	safe     uint64 // mark of the far side, FIN included
	credit   uint64 // mark of the far side
	next     uint64 // goes on the leg next
	sent     uint64 // the highest that ever went on a leg
	keep     uint64 // bytes that this end keeps for replay at most
	fin      bool   // nothing is written any more: the stream ends at q.end
	finSent  bool   // on this leg
	finEver  bool
	stopped  bool // the far side reads no more
}

// room is how many bytes the application may write now.
func (o *outbound) room() int {
	limit := min(o.credit, o.q.off+o.keep)
	return int(limit - min(limit, o.q.end))
}

// write takes bytes of the application, as many as there is room for.
func (o *outbound) write(b []byte) int {
	n := min(len(b), o.room())
	if n >= largestChunk/2 && o.next == o.q.end {
		o.q.appendApart(b[:n], 0) // the rest of the last chunk could not be lent
	} else {
		o.q.append(b[:n])
	}
	return n
}

// put is write for the first n bytes after the head of c, which it owns. Many
// are sent from where they are.
func (o *outbound) put(c *chunk, n int) {
	from := c.head()
	if n >= leastLent {
		o.q.pushPart(c, from, from+n)
	} else {
		o.q.push(c, from, from+n)
	}
}

// pending reports that something is to go on the leg.
func (o *outbound) pending() bool {
	return !o.stopped && (o.next < o.q.end || (o.fin && !o.finSent))
}

// done reports that the far side has all of the stream, or wants no more of it.
func (o *outbound) done() bool { return o.stopped || (o.fin && o.received > o.q.end) }

// undelivered reports that there is something which the far side has not
// received.
func (o *outbound) undelivered() bool {
	return !o.stopped && (o.received < o.q.end || (o.fin && o.received == o.q.end))
}

// last is the highest mark that the far side can honestly give.
func (o *outbound) last() uint64 {
	if o.finEver {
		return o.sent + 1
	}
	return o.sent
}

// acknowledge takes the far side's marks. Those of an earlier frame are no
// fault.
func (o *outbound) acknowledge(m marks) error {
	switch {
	case m.received > o.last():
		return wire.Errorf(wire.BadRequest, "byte %d is acknowledged, %d were sent", m.received, o.last())
	case m.safe > m.received:
		return wire.Errorf(wire.BadRequest, "byte %d is said to be safe, %d to be received", m.safe, m.received)
	}
	o.received = max(o.received, m.received)
	o.safe = max(o.safe, m.safe)
	o.credit = max(o.credit, m.credit)
	o.q.skipTo(min(o.safe, o.q.end))
	if o.next < o.q.off {
		o.next = o.q.off
	}
	return nil
}

// rewind goes back, or forward, to where the far side stands: received is its
// mark. It is an error if that is freed already.
func (o *outbound) rewind(received uint64) error {
	switch {
	case received > o.last():
		return wire.Errorf(wire.BadRequest, "byte %d is asked for, %d were sent", received, o.last())
	case o.stopped: // it asks for what it said that it does not want
		return nil
	case received < o.q.off:
		return wire.Errorf(wire.Gone, "byte %d is asked for, which the far side had: it has lost its state", received)
	}
	o.next = min(received+planted, o.q.end)
	o.finSent = o.fin && received > o.q.end
	return nil
}

// stop drops everything: the far side reads no more.
func (o *outbound) stop() {
	o.stopped = true
	o.q.cutTo(max(o.q.off, min(o.sent, o.q.end)))
	o.q.skipTo(o.q.end)
	o.next = o.q.end
}
