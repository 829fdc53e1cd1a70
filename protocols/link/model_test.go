package link

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a link beside what it is to be: two queues of bytes.
type model struct {
	s       *sim
	written [2][]byte // by each end
	read    [2][]byte
	ended   [2]bool // written
	saw     [2]bool // the end of what comes
}

// fataler is a test, or rapid's.
type fataler interface {
	Fatalf(format string, args ...any)
}

func newModel(seed uint64) *model {
	m := &model{s: newSim(seed, 0, 0)}
	for _, a := range m.s.apps {
		a.manual = true
	}
	return m
}

// runFor lets time pass.
func (s *sim) runFor(d time.Duration) {
	for until := s.now.Add(d); s.found == ""; {
		if len(s.events) == 0 || s.events[0].at.After(until) {
			s.now = until
			return
		}
		s.step()
	}
}

// end is the machine of an end, nil while it moves.
func (m *model) end(at int) *simNode {
	if n := m.s.apps[at].n; !n.dead && !n.m.frozen {
		return n
	}
	return nil
}

func (m *model) write(t fataler, at int, b []byte) {
	n := m.end(at)
	if n == nil || m.ended[at] {
		return
	}
	taken, err := n.m.write(b)
	if err != nil {
		t.Fatalf("end %d: write: %v", at, err)
	}
	m.written[at] = append(m.written[at], b[:taken]...)
	n.act()
}

// reads reads up to size bytes, which must be the next that were written.
func (m *model) reads(t fataler, at, size int) {
	n := m.end(at)
	if n == nil || m.saw[at] {
		return
	}
	b := make([]byte, size)
	got, eof, err := n.m.read(b)
	if err != nil {
		t.Fatalf("end %d: read: %v", at, err)
	}
	due := m.written[1-at][len(m.read[at]):]
	if got > len(due) || !bytes.Equal(b[:got], due[:got]) {
		t.Fatalf("end %d read %d bytes after %d that are not those written", at, got, len(m.read[at]))
	}
	m.read[at] = append(m.read[at], b[:got]...)
	if m.saw[at] = eof; eof && (!m.ended[1-at] || got < len(due)) {
		t.Fatalf("end %d saw the end after %d of %d bytes", at, len(m.read[at]), len(m.written[1-at]))
	}
	n.act()
}

func (m *model) closeWrite(t fataler, at int) {
	if n := m.end(at); n != nil && !m.ended[at] {
		if err := n.m.closeWrite(); err != nil {
			t.Fatalf("end %d: %v", at, err)
		}
		m.ended[at] = true
		n.act()
	}
}

// finish ends both streams and reads all there is.
func (m *model) finish(t fataler) {
	over := func(at int) bool { n := m.end(at); return n != nil && n.m.over != nil && m.saw[at] }
	for range 600 {
		for at := range 2 {
			m.closeWrite(t, at)
			m.reads(t, at, 100_000)
		}
		if m.s.runFor(time.Second); over(0) && over(1) {
			break
		}
	}
	for at := range 2 {
		if n := m.end(at); n == nil || n.m.over != errComplete || !m.saw[at] || len(m.read[at]) != len(m.written[1-at]) {
			t.Fatalf("end %d: %d of %d bytes read, end seen: %v", at, len(m.read[at]), len(m.written[1-at]), m.saw[at])
		}
	}
}

// TestLinkIsTwoQueuesOfBytes does to a link whatever comes to mind: it gives out
// what was put in.
func TestLinkIsTwoQueuesOfBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.Uint64().Draw(t, "seed"))
		an := func(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "end") }
		line := func(t *rapid.T) *simCarrier {
			return m.s.lines[len(m.s.lines)-1-rapid.IntRange(0, min(2, len(m.s.lines)-1)).Draw(t, "line")]
		}
		ms := func(t *rapid.T, what string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, what)) * time.Millisecond
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				at := an(t)
				b := make([]byte, rapid.IntRange(0, 40_000).Draw(t, "bytes"))
				for i := range b {
					b[i] = streamByte(at, uint64(len(m.written[at])+i))
				}
				m.write(t, at, b)
			},
			"read":       func(t *rapid.T) { m.reads(t, an(t), rapid.IntRange(0, 40_000).Draw(t, "bytes")) },
			"wait":       func(t *rapid.T) { m.s.runFor(ms(t, "ms", 200)) },
			"closeWrite": func(t *rapid.T) { m.closeWrite(t, an(t)) },
			"kill":       func(t *rapid.T) { line(t).kill([2]time.Duration{ms(t, "one", 500), ms(t, "other", 500)}) },
			"silence":    func(t *rapid.T) { line(t).silence() },
			"change": func(t *rapid.T) {
				if n := m.end(an(t)); n != nil && n.m.over == nil && n.m.heard {
					n.dial(n.far, rapid.Bool().Draw(t, "planned"))
				}
			},
			"move": func(t *rapid.T) {
				if n := m.end(an(t)); n != nil && rapid.IntRange(0, 3).Draw(t, "often") == 0 {
					n.move(rapid.Bool().Draw(t, "crash"))
				}
			},
			"": func(t *rapid.T) {
				if m.s.found != "" {
					t.Fatal(m.s.found)
				}
			},
		})
		m.finish(t)
	})
}

// TestChangesInARow found a link that hung: a listener asks for a leg twice
// while it has none.
func TestChangesInARow(t *testing.T) {
	for seed := range uint64(50) {
		m := newModel(seed)
		m.s.lines[0].kill([2]time.Duration{})
		m.s.runFor(171 * time.Millisecond)
		for _, planned := range []bool{false, true} {
			if n := m.end(1); n.m.heard {
				n.dial(n.far, planned)
			}
		}
		if m.finish(t); m.s.found != "" {
			t.Fatal(m.s.found)
		}
	}
}
