package replica

import "slices"

// Part is a part of a log that is to be sent: from a counter upwards or
// downwards, about Limit bytes of it.
type Part struct {
	Key   Key
	From  uint64
	Down  bool
	Limit int

	s     *stream
	moves int
}

// Control appends the frames that declare and acknowledge, as long as b is
// shorter than limit.
func (m *Machine) Control(b []byte, limit int) []byte {
	if !m.greeted {
		m.greeted = true
		f := frame{typ: frameHello, version: version}
		b = f.append(b)
	}
	for ; len(m.logs) > 0 && len(b) < limit; m.logs = m.logs[1:] {
		f := frame{typ: frameLog, log: m.logs[0]}
		b = f.append(b)
	}
	n := 0
	for ; n < len(m.dirty) && len(b) < limit; n++ {
		m.dirty[n].isDirty = false
		b = m.tell(b, m.dirty[n])
	}
	m.dirty = slices.Delete(m.dirty, 0, n)
	for ; len(m.dirty) == 0 && len(m.stops) > 0 && len(b) < limit; m.stops = m.stops[1:] {
		if s := m.stops[0]; s.declared {
			f := frame{typ: frameStop, number: s.number, code: s.why}
			b = f.append(b)
		}
	}
	if len(m.dirty) == 0 && m.complete && !m.told {
		m.told = true
		f := frame{typ: frameReady}
		b = f.append(b)
	}
	return b
}

// tell appends AUTHOR, with CONVERSATION where it is the first, or HAVE.
func (m *Machine) tell(b []byte, s *stream) []byte {
	if s.mine.Low == 0 || !s.declared && !s.given && !m.mayTake(s.key) {
		return b // or the far side cannot know yet whose this is
	}
	s.told = s.mine
	if s.declared {
		f := frame{typ: frameHave, number: s.number, run: s.mine}
		return f.append(b)
	}
	if m.outCount > maxAuthorNumber {
		return b // the far side would not have it
	}
	number, known := m.outWith[s.key.With]
	if !known {
		if len(m.outWith) == MaxConversations {
			return b
		}
		number = uint64(len(m.outWith))
		m.outWith[s.key.With] = number
		f := frame{typ: frameConversation}
		if m.cfg.Own {
			f.with = s.key.With
		}
		b = f.append(b)
	}
	s.declared, s.number = true, m.outCount
	m.outCount++
	f := frame{typ: frameAuthor, number: number, author: s.key.Author, run: s.mine}
	b = f.append(b)
	m.schedule(s)
	return b
}

// schedule puts the log where there is something to send.
func (m *Machine) schedule(s *stream) {
	if !s.declared || !s.given || s.checking || s.stopped || s.their.Low == 0 || s.mine.Empty() {
		return
	}
	if !s.inUps && s.up >= s.mine.Low && s.up <= s.mine.High {
		s.inUps = true
		m.ups = append(m.ups, s)
	}
	// Nothing is sent before what the far side begins with, so that its run is one.
	if !s.inDowns && !s.their.Empty() && s.down >= s.mine.Low && s.down <= s.mine.High {
		s.inDowns = true
		m.downs = append(m.downs, s)
	}
}

// Next returns what to send next, if anything may be sent now. The caller
// answers with Sent before it asks again.
func (m *Machine) Next() (Part, bool) {
	if m.upBytes+m.downBytes >= window {
		return Part{}, false
	}
	for len(m.ups) > 0 {
		s := m.ups[0]
		m.ups = slices.Delete(m.ups, 0, 1)
		s.inUps = false
		if !s.stopped && s.up >= s.mine.Low && s.up <= s.mine.High {
			return Part{Key: s.key, From: s.up, Limit: quantum, s: s, moves: s.moves}, true
		}
	}
	for len(m.downs) > 0 && m.downBytes < backWindow {
		s := m.downs[0]
		m.downs = slices.Delete(m.downs, 0, 1)
		s.inDowns = false
		if !s.stopped && s.down >= s.mine.Low && s.down <= s.mine.High {
			return Part{Key: s.key, From: s.down, Down: true, Limit: quantum, s: s, moves: s.moves}, true
		}
	}
	return Part{}, false
}

// Sent appends the ENTRY frames of a part, of which entries are the first ones
// in its direction, at least one.
func (m *Machine) Sent(b []byte, p Part, entries []Entry) []byte {
	s, before := p.s, len(b)
	if s.stopped || p.moves != s.moves {
		m.schedule(s)
		return b
	}
	first, last := entries[0].Counter, entries[len(entries)-1].Counter
	if first+1 < s.told.Low || first > s.told.High+1 {
		b = m.tell(b, s) // the rest came by other ways
	}
	s.told.Low, s.told.High = min(s.told.Low, last), max(s.told.High, last)
	for i := range entries {
		f := frame{typ: frameEntry, number: s.number, entry: entries[i]}
		b = f.append(b)
	}
	fl := flown{last: last, bytes: len(b) - before, down: p.Down}
	if p.Down {
		s.down = min(s.down, last-1)
		m.downBytes += fl.bytes
	} else {
		s.up = max(s.up, last+1)
		m.upBytes += fl.bytes
	}
	s.flight = append(s.flight, fl)
	m.land(s) // the far side may have said meanwhile that it has it
	m.schedule(s)
	return b
}

// land takes from what is under way that which the far side holds.
func (m *Machine) land(s *stream) {
	s.flight = slices.DeleteFunc(s.flight, func(f flown) bool {
		held := s.their.High >= f.last
		if f.down {
			held = s.their.Low <= f.last
		}
		if held {
			m.landed(f)
		}
		return held
	})
}

func (m *Machine) landed(f flown) {
	if f.down {
		m.downBytes -= f.bytes
	} else {
		m.upBytes -= f.bytes
	}
}
