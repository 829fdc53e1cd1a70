package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// outbox is where the frames of a leg go.
type outbox interface {
	// Room is how many bytes of payload the next frame may have.
	Room() int
	// Frame begins a frame with n bytes of payload, which it returns to be filled.
	Frame(k kind, n int) []byte
	// Lend puts a frame with the payload b[from:], and may use all of b until
	// the next call for the leg. It is the last frame of the pull.
	Lend(k kind, b []byte, from int)
}

// leastData is the least room for which a DATA frame is begun while more is
// waiting than fits.
const leastData = 512

// pull puts what is to go on a leg into o, and reports whether there is more
// than had room.
func (m *machine) pull(l *leg, o outbox) (more bool) {
	l.returned()
	if l.tell != 0 && !m.pullOpening(l, o) {
		return true
	}
	if l != m.cur || m.claiming || (l.asking && l.strange) {
		return false // whoever has to judge first does not take what comes
	}
	if m.over != nil {
		return m.pullEnd(l, o)
	}
	if l.asking && l.planned {
		return false
	}
	return m.pullControl(o) || m.pullData(l, o)
}

// pullOpening puts the first frame of a leg.
func (m *machine) pullOpening(l *leg, o outbox) bool {
	if o.Room() < maxOpening {
		return false
	}
	var scratch [maxOpening]byte
	b := scratch[:0]
	switch l.tell {
	case kindOpen:
		b = opening{
			id: m.id, gen: l.gen, credit: m.in.credit,
			grace: uint64(m.grace / time.Millisecond), service: m.service,
		}.append(b)
	case kindResume:
		b = m.greeting(l).appendWithID(b)
	case kindResumed:
		b = m.greeting(l).append(b)
	}
	copy(o.Frame(l.tell, len(b)), b)
	l.tell = 0
	return true
}

// greeting is this end's RESUME or RESUMED.
func (m *machine) greeting(l *leg) resume {
	r := resume{
		id: m.id, gen: l.gen, epoch: m.epoch, farEpoch: m.farEpoch, marks: m.marks(), token: m.token,
	}
	if l.planned {
		r.flags |= flagPlanned
	}
	if m.in.stopped && !m.claiming {
		r.flags |= flagStopped
		m.stopDue = false
	}
	if l.out != noOffset {
		r.from = l.out + 1
	}
	m.tell(r.marks)
	return r
}

// tell notes what the far side has been told.
func (m *machine) tell(told marks) {
	m.told, m.ackNow, m.ackLater = told, false, false
	m.in.credit = max(m.in.credit, told.credit)
}

// pullControl puts the frames that carry no data.
func (m *machine) pullControl(o outbox) (more bool) {
	ack := m.ackDue()
	if !ack && !m.stopDue && !m.rewind {
		return false
	}
	if o.Room() < 4*maxControl {
		return true
	}
	if ack {
		m.putAck(o)
	}
	if m.stopDue {
		o.Frame(kindStop, 0)
		m.stopDue = false
	}
	if m.rewind {
		m.putOffset(o, kindRewind, m.in.q.end)
		m.rewind, m.cur.asked = false, true
	}
	return false
}

func (m *machine) putAck(o outbox) {
	now := m.marks()
	var scratch [maxControl]byte
	b := now.append(scratch[:0])
	copy(o.Frame(kindAck, len(b)), b)
	m.tell(now)
}

func (m *machine) putOffset(o outbox, k kind, off uint64) {
	var scratch [maxControl]byte
	b := appendUvarints(scratch[:0], off)
	copy(o.Frame(k, len(b)), b)
}

// pullData puts data, and the end of it.
func (m *machine) pullData(l *leg, o outbox) (more bool) {
	out := &m.out
	if l.out != out.next && (out.pending() || (l.out == noOffset && l.planned)) {
		if o.Room() < maxControl {
			return true
		}
		m.putOffset(o, kindSeek, out.next)
		l.out = out.next
	}
	for !out.stopped && out.next < out.q.end {
		left, room := int(out.q.end-out.next), o.Room()
		if room < min(left, leastData) {
			return true
		}
		n := m.lend(l, o)
		lent := n > 0
		if !lent {
			n = out.q.copyAt(out.next, o.Frame(kindData, out.q.run(out.next, room)))
		}
		out.next += uint64(n)
		l.out = out.next
		out.sent = max(out.sent, out.next)
		if lent {
			return out.pending()
		}
	}
	if out.pending() {
		if o.Room() < maxControl {
			return true
		}
		m.putOffset(o, kindFin, out.q.end)
		out.finSent, out.finEver = true, true
	}
	return false
}

// lend puts the next data without copying it, and returns how much that is: none
// if it stands in the middle of memory, is little, or lent already on another
// leg.
func (m *machine) lend(l *leg, o outbox) int {
	p := m.out.q.piece(m.out.next)
	n := min(p.len(), o.Room())
	if n < leastLent || p.from < trunk.HeadRoom || p.c.lent {
		return 0
	}
	l.lent, p.c.lent = p.c, true
	o.Lend(kindData, p.c.b[:p.from+n], p.from)
	return n
}

// pullEnd puts the last frames of a link that is over. The leg stays until the
// far side has answered.
func (m *machine) pullEnd(l *leg, o outbox) (more bool) {
	if m.endSent {
		return false
	}
	if o.Room() < 4*maxControl {
		return true
	}
	if m.closedWell() {
		m.putAck(o)
		if m.in.stopped && !m.in.ended() {
			o.Frame(kindStop, 0)
		}
	}
	if m.resetBy.code != wire.OK {
		var scratch [maxControl]byte
		b := m.resetBy.append(scratch[:0])
		copy(o.Frame(kindReset, len(b)), b)
	} else {
		o.Frame(kindClose, 0)
	}
	m.endSent = true
	if m.farOver {
		m.cur = nil
		m.release(l)
	}
	return false
}
