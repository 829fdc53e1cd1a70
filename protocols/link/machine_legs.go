package link

import (
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// attach begins a leg that this end has opened: the opening frame goes first.
// Planned says that the leg before it, if there is one, is well.
func (m *machine) attach(l *leg, planned bool, now time.Time) {
	m.release(m.ask)
	m.ask = nil
	l.opener, l.asking = true, true
	l.gen = m.gen + 1
	l.planned = planned && m.cur != nil && m.heard
	l.tell = kindResume
	if !m.heard && m.dialer {
		l.tell = kindOpen
	}
	m.ready(l)
	if l.planned {
		m.ask = l
		return
	}
	m.fence()
	m.cur, m.endSent = l, false
	if m.lostAt.IsZero() && m.over == nil { // grace runs until the far side answers
		m.lostAt, m.lostWhy = now, errUnanswered
	}
	l.in = noOffset
	if m.over == nil {
		_ = m.out.rewind(m.out.received) // within what is kept: received is never below safe
	}
	l.out = m.out.next
}

// fence ends every leg there is: what still comes on them does not count.
func (m *machine) fence() {
	m.release(m.cur)
	for _, l := range m.old {
		m.release(l)
	}
	m.cur, m.old = nil, nil
	m.release(m.ask)
	m.ask = nil
}

// drain keeps a leg for what the far side had sent on it before the change:
// all before offset until.
func (m *machine) drain(l *leg, until uint64) {
	if l == nil {
		return
	}
	l.until = until
	m.old = append(m.old, l)
	m.drained()
}

// drained releases the old legs that are not needed any more.
func (m *machine) drained() {
	if len(m.old) == 0 {
		return
	}
	m.old = slices.DeleteFunc(m.old, func(l *leg) bool {
		if l.until > m.in.q.end {
			return false
		}
		m.release(l)
		return true
	})
}

// left says that the far side uses a leg no more.
func (m *machine) left(l *leg, now time.Time) { m.lost(l, errLeft, now) }

// lost says that a leg's carrier has gone.
func (m *machine) lost(l *leg, why error, now time.Time) {
	switch l {
	case m.ask:
		m.ask = nil
		if m.cur == nil {
			m.detach(why, now)
		}
	case m.cur:
		m.cur = nil
		if !m.seeks {
			// The far side may have given this leg up and still use one before
			// it: it is to notice, and to come again.
			for _, o := range m.old {
				m.release(o)
			}
			m.old = nil
		}
		m.detach(why, now)
	default:
		m.old = slices.DeleteFunc(m.old, func(o *leg) bool { return o == l })
		m.missing(now)
	}
}

// distrust gives up a leg that was answered by one who has no right to the far
// end. Another try may meet the one who has.
func (m *machine) distrust(l *leg, why error, now time.Time) {
	if !l.asking || (l != m.cur && l != m.ask) {
		return
	}
	m.refusals++
	m.release(l)
	m.lost(l, why, now)
}

// missing asks for bytes before a gap once no leg can bring them any more. There
// is a gap too when the leg stands beyond what has come.
func (m *machine) missing(now time.Time) {
	switch {
	case m.cur == nil || m.over != nil || (!m.in.gap() && (m.cur.in == noOffset || m.cur.in <= m.in.q.end)):
		m.gapSince = time.Time{}
	case len(m.old) == 0:
		m.gapSince = time.Time{}
		if !m.cur.asked {
			m.rewind = true
			m.ready(m.cur)
		}
	case m.gapSince.IsZero():
		m.gapSince = now
	}
}

// deadline is when tick is to be called next; zero for never.
func (m *machine) deadline() time.Time {
	switch {
	case m.over != nil:
		if m.mustTell() && !m.overAt.IsZero() {
			return m.overAt.Add(m.grace)
		}
	case m.frozen:
	case m.unanswered() && !m.lostAt.IsZero():
		if m.listens() {
			return m.lostAt.Add(min(listenTime, m.grace))
		}
		return m.lostAt.Add(m.grace)
	case m.cur != nil && !m.gapSince.IsZero():
		return m.gapSince.Add(gapTime)
	}
	return time.Time{}
}

// unanswered reports that no leg carries the link, or one of which the far side
// may know nothing.
func (m *machine) unanswered() bool { return m.cur == nil || m.cur.asking }

// tick does what the time asks for.
func (m *machine) tick(now time.Time) {
	d := m.deadline()
	if d.IsZero() || now.Before(d) {
		return
	}
	switch {
	case m.over != nil: // the far side has had its time to hear of it
		m.farOver = true
		m.release(m.cur)
		m.cur = nil
		return
	case m.listens() && now.Before(m.lostAt.Add(m.grace)):
		m.listened = true
		m.wants()
		return
	case m.unanswered() && !m.lostAt.IsZero():
		m.farOver = true
		m.end(wire.Errorf(wire.Gone, "the link was lost and not taken up again within %s: %w", m.grace, m.lostWhy))
		return
	}
	for _, l := range m.old {
		m.release(l)
	}
	m.old = nil
	m.missing(now)
}
