package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// claim is what a RESUME amounts to.
type claim int

const (
	claimRefused   claim = iota
	claimPlain           // by the node known for the far end
	claimAuthorise       // by another node, whose token is to be judged
)

// judge says what becomes of a RESUME that came from the node known for the far
// end, or from another.
// Larger says that this node's peer ID is the larger of the two: it wins a tie.
func (m *machine) judge(r resume, known, larger bool) (claim, refusal) {
	refuse := func(code wire.Code) (claim, refusal) { return claimRefused, refusal{code: code, gen: m.highest()} }
	switch {
	case m.moved:
		return claimRefused, refusal{code: wire.Moved, gen: m.highest(), hint: m.hint}
	case m.over != nil && !m.mustTell():
		return refuse(wire.CodeOf(m.over))
	case r.farEpoch > m.epoch:
		return refuse(wire.Gone) // it knows of a later life of this end
	case m.frozen:
		return refuse(wire.Busy)
	case r.epoch < m.farEpoch:
		return refuse(wire.Moved) // an earlier life of the far end
	case r.epoch == m.farEpoch && !known:
		return refuse(wire.Forbidden)
	case m.claiming && r.marks.received > m.out.last(): // of another node that has had this end meanwhile
		return refuse(wire.Moved)
	case r.gen > m.gen+maxGenJump:
		return refuse(wire.BadRequest)
	case r.gen <= m.gen, m.losesTo(r.gen, larger):
		return refuse(wire.Taken)
	case r.epoch > m.farEpoch:
		return claimAuthorise, refusal{}
	}
	return claimPlain, refusal{}
}

// losesTo reports that a RESUME of this generation comes too late: this end has
// asked for a leg itself, and its question goes first.
func (m *machine) losesTo(gen uint64, larger bool) bool {
	asked := m.ask
	if asked == nil && m.cur != nil && m.cur.asking {
		asked = m.cur
	}
	return asked != nil && (gen < asked.gen || (gen == asked.gen && larger))
}

// highest is the highest generation that this end knows of.
func (m *machine) highest() uint64 {
	h := m.gen
	for _, l := range []*leg{m.cur, m.ask} {
		if l != nil {
			h = max(h, l.gen)
		}
	}
	return h
}

// resume takes a leg that the far side has opened, after judge. An error ends
// the link: the far side asks for what cannot be given.
func (m *machine) resume(l *leg, r resume, now time.Time) error {
	// Only a leg that was agreed on can be drained: what this end asked for, and
	// was not answered, the far side has dropped.
	planned := r.flags&flagPlanned != 0 && m.cur != nil && !m.cur.asking && r.epoch == m.farEpoch && r.gen == m.gen+1
	before, from := m.cur, r.marks.received
	if r.epoch == m.farEpoch { // else an ACK on the leg before cannot have overtaken it
		from = max(from, m.out.received)
	}
	if planned {
		m.cur = nil
	}
	for _, o := range m.old { // of two changes in a row the first is over
		m.release(o)
	}
	m.old = nil
	m.fence()
	m.gen, m.farEpoch, m.heard, m.refusals = r.gen, r.epoch, true, 0
	l.gen, l.planned, l.tell = r.gen, planned, kindResumed
	l.vouched = r.farEpoch == m.epoch
	l.in = cursor(r.from)
	m.cur, m.endSent = l, false
	if err := m.marked(r); err != nil { // RESET goes on the new leg
		if planned {
			m.release(before)
		}
		return err
	}
	if planned {
		m.out.finSent = false // it may be lost with the leg before
		m.drain(before, noOffset)
	} else if m.over == nil {
		if err := m.out.rewind(from); err != nil {
			return err
		}
	}
	l.out = m.out.next
	m.carried()
	m.missing(now)
	m.ready(l)
	m.settle()
	return nil
}

// marked takes what RESUME and RESUMED say of the far side.
func (m *machine) marked(r resume) error {
	if err := m.out.acknowledge(r.marks); err != nil {
		return err
	}
	if r.flags&flagStopped != 0 && !m.out.stopped {
		m.out.stop()
	}
	m.fx.writable = true
	return nil
}

// resumed takes the answer to this end's OPEN or RESUME.
func (m *machine) resumed(l *leg, r resume, now time.Time) error {
	if !l.asking || r.gen != l.gen {
		return nil
	}
	if l != m.cur && l != m.ask { // a later leg was answered first; this one drains
		l.asking, l.in = false, cursor(r.from)
		m.missing(now)
		return nil
	}
	switch {
	case r.epoch < m.farEpoch: // it has given the far end up
		m.distrust(l, wire.Errorf(wire.Moved, "an earlier owner of the far end has answered"), now)
		return nil
	case r.farEpoch > m.epoch:
		return wire.Errorf(wire.Moved, "this end of the link goes on at another node")
	}
	m.refusals = 0
	if err := m.marked(r); err != nil {
		return err
	}
	m.ackNow = m.ackNow || m.heard // an end that has moved waits for a word: see proven
	l.asking, m.heard, m.gen, m.farEpoch = false, true, l.gen, r.epoch
	if m.claiming {
		m.again(l)
	}
	l.in = cursor(r.from)
	m.carried()
	if l == m.ask {
		m.ask = nil
		before := m.cur
		m.cur = l
		if before == nil && m.over == nil { // lost meanwhile, with what was on its way
			if err := m.out.rewind(max(m.out.received, r.marks.received)); err != nil {
				return err
			}
		}
		l.out = noOffset // the far side waits for SEEK to know what the old leg still brings
		// What carried no data may be lost with the leg before.
		m.out.finSent, m.ackNow, m.stopDue = false, true, m.in.stopped && !m.in.ended()
		m.drain(before, l.in)
		m.ready(l)
	} else if m.out.next < m.out.received {
		m.out.next = min(m.out.received, m.out.q.end)
	}
	m.missing(now)
	m.ready(l)
	m.settle()
	return nil
}

// refusedBy takes the far side's refusal of a leg.
func (m *machine) refusedBy(l *leg, r refusal, now time.Time) {
	if !l.asking || (l != m.cur && l != m.ask) {
		return
	}
	m.gen = max(m.gen, min(r.gen, m.gen+maxGenJump))
	m.refusals++
	if l == m.ask {
		m.ask = nil
	} else {
		m.cur = nil
	}
	m.release(l)
	m.hint = append([]byte(nil), r.hint...)
	r.code = known(r.code)
	err := wire.Errorf(r.code, "the far side refused to go on with the link: %s", r.code)
	switch {
	case passing(r.code), r.code == wire.Unsupported && m.heard: // perhaps elsewhere, or later
		if m.cur == nil {
			if m.lostAt.IsZero() {
				m.lostAt = now
			}
			m.lostWhy = err
			m.fx.redial = m.needsLeg()
		}
	case r.code == wire.Closed:
		m.farOver = true
		m.out.received = max(m.out.received, m.out.last())
		if m.in.ended() || m.in.stopped {
			m.end(errComplete)
			return
		}
		m.end(wire.Errorf(wire.Gone, "the far side has closed the link, and this side has not all of it"))
	default:
		m.farOver = true
		m.end(err)
	}
}

// passing reports that a refusal with this code may be over soon.
func passing(c wire.Code) bool {
	switch c {
	case wire.Taken, wire.Busy, wire.Moved, wire.Limit, wire.Timeout:
		return true
	}
	return false
}

// maxGenJump is how far one refusal may raise the generation: a liar cannot use
// the numbers up.
const maxGenJump = 1 << 20

// cursor is an offset of resume.from.
func cursor(from uint64) uint64 {
	if from == 0 {
		return noOffset
	}
	return from - 1
}
