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

// closedByFar takes CLOSE: the far side has all it needs, and so has this one.
func (m *machine) closedByFar(l *leg) error {
	m.farOver = true
	switch {
	case m.over == nil:
		return wire.Errorf(wire.BadRequest, "the far side closed the link before both streams had ended")
	case m.endSent && l == m.cur:
		m.cur = nil
		m.release(l)
	}
	return nil
}

// expects reports that frames of this leg count: it is in use or draining.
func (m *machine) expects(l *leg) bool { return m.over == nil && !m.frozen && m.inUse(l) }

func (m *machine) inUse(l *leg) bool {
	if l == m.cur || l == m.ask {
		return true
	}
	for _, o := range m.old {
		if o == l {
			return true
		}
	}
	return false
}

// control takes a frame without data. An error ends the link: no honest far
// side sends it.
func (m *machine) control(l *leg, k kind, payload []byte, now time.Time) error {
	if !m.inUse(l) {
		return nil
	}
	if l.asking && l.strange && k != kindResumed && k != kindRefused {
		return nil // whoever it is, it has no say
	}
	switch k {
	case kindResumed:
		r, err := parseResumed(payload)
		if err != nil || m.frozen || (m.over != nil && !m.mustTell()) {
			return err
		}
		return m.resumed(l, r, now)
	case kindRefused:
		r, err := parseRefusal(payload)
		if err == nil {
			m.refusedBy(l, r, now)
		}
		return err
	case kindReset:
		r, err := parseReset(payload)
		if err == nil {
			m.resetByFar(r)
		}
		return err
	case kindClose:
		if l != m.cur || m.frozen {
			return nil
		}
		return m.closedByFar(l)
	}
	m.proven(l, k == kindRewind)
	if m.over != nil && k == kindRewind && l == m.cur {
		m.again(l)
	}
	if !m.expects(l) {
		return nil
	}
	return m.inOrder(l, k, payload, now)
}

// inOrder takes the frames whose place on the leg counts.
func (m *machine) inOrder(l *leg, k kind, payload []byte, now time.Time) error {
	switch k {
	case kindAck:
		a, err := parseAck(payload)
		if err != nil {
			return err
		}
		return m.acked(a)
	case kindStop:
		if !m.out.stopped {
			m.out.stop()
			m.fx.writable = true
			m.settle()
		}
		return nil
	}
	off, err := parseOffset(payload)
	if err != nil {
		return err
	}
	switch k {
	case kindSeek:
		return m.seek(l, off, now)
	case kindFin:
		return m.finished(l, off, now)
	case kindRewind:
		return m.rewound(l, off)
	}
	return wire.Errorf(wire.BadRequest, "unknown frame %d", k)
}

func (m *machine) acked(a marks) error {
	room := m.out.room()
	if err := m.out.acknowledge(a); err != nil {
		return err
	}
	if m.out.room() > room {
		m.fx.writable = true
	}
	m.settle()
	return nil
}

// seek moves the place of the far side's next DATA. On a planned leg the first
// one says what the leg before it still brings.
func (m *machine) seek(l *leg, off uint64, now time.Time) error {
	if off > m.in.credit && !m.in.stopped {
		return wire.Errorf(wire.BadRequest, "SEEK to %d, beyond the credit of %d", off, m.in.credit)
	}
	l.in, l.asked = off, false
	if l == m.cur {
		for _, o := range m.old {
			if o.until == noOffset {
				o.until = off
			}
		}
		m.drained()
	}
	m.missing(now)
	return nil
}

func (m *machine) finished(_ *leg, off uint64, now time.Time) error {
	if err := m.in.finish(off); err != nil {
		return err
	}
	m.arrived(now)
	return nil
}

func (m *machine) rewound(l *leg, off uint64) error {
	if l != m.cur {
		return nil
	}
	if l.rewinds++; l.rewinds > maxRewinds {
		return wire.Errorf(wire.Limit, "bytes were asked for again %d times on one leg", l.rewinds)
	}
	if err := m.out.rewind(off); err != nil {
		return err
	}
	m.again(l)
	return nil
}

// again has all be said once more on a leg of which the far side has lost what
// came before.
func (m *machine) again(l *leg) {
	m.claiming, m.endSent = false, false
	m.ackNow, m.stopDue = true, m.in.stopped && !m.in.ended()
	m.ready(l)
}

// proven notes that the far side takes this node for its end: it has asked for
// bytes, which it does once it has judged, or talks on a leg that it opened in
// that knowledge.
func (m *machine) proven(l *leg, asked bool) {
	if m.claiming && l == m.cur && (asked || l.vouched) {
		m.again(l)
	}
}

// place says where the next DATA of n bytes on a leg stands, and moves on. It is
// false when the bytes do not count.
func (m *machine) place(l *leg, n int) (off uint64, counts bool, err error) {
	m.proven(l, false)
	if !m.expects(l) {
		return 0, false, nil
	}
	if l.in == noOffset {
		return 0, false, wire.Errorf(wire.BadRequest, "data on a leg that has not said where it begins")
	}
	off = l.in
	if err := m.in.check(off, off+uint64(n)); err != nil {
		return 0, false, err
	}
	l.in += uint64(n)
	return off, true, nil
}

// waits reports that arrived looks at the time: something is out of order.
func (m *machine) waits() bool { return len(m.old) > 0 || m.in.gap() || !m.gapSince.IsZero() }

// arrived notes that bytes or the end have come. The time may be left out unless
// waits says so.
func (m *machine) arrived(now time.Time) {
	if m.in.readable() {
		m.fx.readable = true
	}
	m.drained()
	m.missing(now)
	switch received := m.in.received(); {
	case m.in.ended(), received-min(received, m.told.received) >= m.in.window/2:
		m.ackNow = true
		m.ready(m.cur)
	default:
		m.oweLater()
	}
	m.settle()
}

// resetByFar ends the link as the far side says, which is told that it has been
// heard.
func (m *machine) resetByFar(r reset) {
	m.farOver, m.resetBy, m.endSent = true, reset{}, false
	if m.over == nil {
		m.endWith(wire.Errorf(known(r.code), "the far side reset the link: %s", clip(r.reason)))
	}
	m.ready(m.cur)
}
