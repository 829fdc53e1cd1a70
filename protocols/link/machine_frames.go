package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

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
		return m.finished(off, now)
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

func (m *machine) finished(off uint64, now time.Time) error {
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
	if received := m.in.received(); received-min(received, m.told.received) >= m.in.window/2 {
		m.ackNow = true
		m.ready(m.cur)
	} else {
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
