package pipe

import (
	"bytes"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sweepEffects is what step wants done.
type sweepEffects struct {
	send []*letter
	wake time.Duration // call step again then, at the latest; 0 = only when something happens
	done bool          // every record is where it belongs, as far as that can be
}

// step decides what to do at time now.
func (m *sweep) step(now time.Duration) sweepEffects {
	var e sweepEffects
	slots := 0
	for _, l := range m.out {
		l.slow = l.slow || now-l.since >= m.slowAfter
		if !l.slow {
			slots++
		}
	}
	for ; slots < m.alpha && len(m.out) < 3*m.alpha; slots++ {
		l := m.next(now)
		if l == nil {
			break
		}
		l.since = now
		m.post(l)
		e.send = append(e.send, l)
	}
	e.wake = m.resting(now)
	e.done = len(m.out) == 0 && e.wake == 0
	for _, l := range m.out {
		if at := l.since + m.slowAfter; !l.slow && (e.wake == 0 || at < e.wake) {
			e.wake = at
		}
	}
	return e
}

// next writes the letter that is due, nil for none. Records come in key order,
// so that those who are near each other are asked one after the other.
func (m *sweep) next(now time.Duration) *letter {
	for i, r := range m.records {
		if r.left {
			continue
		}
		w := m.window(r)
		if len(w) < m.k && r.cut && r.unsent < m.known {
			m.refill(r)
			w = m.window(r)
		}
		for _, p := range w {
			if p.state == sweptUnsent && p.out == nil && p.rest <= now {
				return m.write(i, p.sweptServer)
			}
		}
	}
	for _, r := range m.records {
		if p := m.wanted(r); p != nil && !r.left {
			return &letter{to: p.sweptServer, about: r}
		}
	}
	return nil
}

// resting is when the first of those wakes who are busy and are to get
// something, 0 if there are none.
func (m *sweep) resting(now time.Duration) time.Duration {
	var wake time.Duration
	for _, s := range m.servers {
		if s.rest <= now || s.failed || wake > 0 && wake <= s.rest {
			continue
		}
		if slices.ContainsFunc(m.records, func(r *sweptRecord) bool { return m.due(r, s) != nil }) {
			wake = s.rest
		}
	}
	return wake
}

// write puts into one letter all that a server is to get, the record that
// called for it first, and as many others as fit.
func (m *sweep) write(first int, to *sweptServer) *letter {
	l := &letter{to: to}
	room := m.bytes
	for i := range m.records {
		r := m.records[(first+i)%len(m.records)]
		p := m.due(r, to)
		if p == nil || len(l.records) == m.sweepLimits.records || i > 0 && r.size > room {
			continue
		}
		room -= r.size
		l.records = append(l.records, p)
		if a := l.about; a == nil || m.prefers(p, a.at(to)) {
			l.about = r
		}
	}
	return l
}

// due returns where a record belongs at a server that has not been asked to
// hold it, nil if it does not. Others that are nearer by hearsay alone are no
// reason to leave it out; and a few more than k get it, so that those who fail
// or decline cost no messages of their own. They know best whether to take it.
func (m *sweep) due(r *sweptRecord, to *sweptServer) *sweptPlace {
	if r.left {
		return nil
	}
	nearer, crowd := 0, make(reach.Crowd)
	for _, p := range r.places {
		if p.sweptServer == to {
			if p.state != sweptUnsent {
				return nil
			}
			return p
		}
		if p.proven && p.counts() && !crowd.Full(p.where.Network()) {
			if nearer++; nearer == m.k+m.spare {
				return nil
			}
		}
	}
	return nil
}

// prefers says which record's neighbourhood a server is asked about: the one of
// which fewest have told, then the one to which it is nearest.
func (m *sweep) prefers(a, b *sweptPlace) bool {
	if x, y := len(a.record.spoken), len(b.record.spoken); x != y {
		return x < y
	}
	return bytes.Compare(a.dist[:], b.dist[:]) < 0
}

// wanted finds a server that should tell who is near a record, though it gets
// nothing any more: since nobody has been named for its refusal, or since too
// few have told.
func (m *sweep) wanted(r *sweptRecord) *sweptPlace {
	nearer, crowd := 0, make(reach.Crowd)
	for _, p := range r.places {
		if p.failed {
			continue
		}
		if p.state == sweptNotClose && nearer < m.k-1 && m.askable(r, p) {
			return p
		}
		if !crowd.Full(p.where.Network()) {
			nearer++
		}
	}
	if len(r.spoken) >= m.opinions {
		return nil
	}
	for _, p := range m.window(r) {
		if m.askable(r, p) {
			return p
		}
	}
	return nil
}

func (m *sweep) askable(r *sweptRecord, p *sweptPlace) bool {
	return p.out == nil && p.busy == 0 && !p.all && !r.spoken[p.id]
}

// post notes that a letter is under way.
func (m *sweep) post(l *letter) {
	l.to.out = l
	for _, p := range l.records {
		p.become(sweptUnderWay)
	}
	l.about.spoken[l.to.id] = true
	m.out = append(m.out, l)
	m.sent++
}

// answered takes in what became of a letter's records, in their order, and
// whom the server named.
func (m *sweep) answered(l *letter, results []wire.Code, closer []peer.AddrInfo) {
	m.back(l)
	m.vouch(l.to)
	for i, p := range l.records {
		switch results[i] {
		case wire.OK:
			p.become(sweptHeld)
		case wire.NotClose:
			p.become(sweptNotClose)
		default:
			p.become(sweptDeclined)
		}
	}
	m.tellsOf(l, closer)
	m.hear(l.to, closer)
}

// tellsOf counts an answer for every record whose key it surrounds: who named
// fewer than k has named all that it knows.
func (m *sweep) tellsOf(l *letter, closer []peer.AddrInfo) {
	l.to.all = len(closer) < m.k
	var reach wire.Key
	for _, in := range closer {
		if d := l.about.key.Distance([]byte(in.ID)); bytes.Compare(d[:], reach[:]) > 0 {
			reach = d
		}
	}
	for _, r := range m.records {
		d := l.about.key.XOR(r.key)
		if l.to.all || bytes.Compare(d[:], reach[:]) <= 0 {
			r.spoken[l.to.id] = true
		}
	}
}

// failed takes in that a server did not answer well, and whom it named all the
// same. The next nearest get what it should have had.
func (m *sweep) failed(l *letter, closer []peer.AddrInfo) {
	m.back(l)
	s := l.to
	s.failed = true
	for _, p := range l.records {
		p.become(sweptUnsent)
	}
	for _, r := range m.records {
		delete(r.spoken, s.id)
		r.withdraw(s)
	}
	m.hear(s, closer)
}

// later takes in that a server is too busy now. It is asked again after a
// pause, a few times.
func (m *sweep) later(l *letter, now time.Duration) {
	s := l.to
	if s.busy++; s.busy >= m.busyTries {
		m.failed(l, nil)
		return
	}
	m.back(l)
	delete(l.about.spoken, s.id)
	s.rest = now + m.busyPause<<(s.busy-1)
	for _, p := range l.records {
		p.become(sweptUnsent)
	}
}

// back notes that a letter is under way no more.
func (m *sweep) back(l *letter) {
	l.to.out = nil
	m.out = slices.DeleteFunc(m.out, func(o *letter) bool { return o == l })
}
