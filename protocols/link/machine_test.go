package link

import (
	"testing"
	"time"
)

// check fails the test unless both streams came whole and ended well.
func (s *sim) check(t *testing.T) {
	t.Helper()
	if s.found != "" {
		t.Error(s.found)
	}
	for _, a := range s.apps {
		if a.read != a.toRead || !a.sawEOF || a.err != errComplete {
			t.Errorf("end %d: %d of %d bytes written, %d of %d read, end seen: %v, err: %v",
				a.at, a.written, a.toWrite, a.read, a.toRead, a.sawEOF, a.err)
		}
		if m := a.n.m; m.in.q.mem != 0 || m.out.q.mem != 0 || m.in.ahead.mem != 0 {
			t.Errorf("end %d holds memory: %d, %d, %d", a.at, m.in.q.mem, m.out.q.mem, m.in.ahead.mem)
		}
	}
}

func TestBytesArriveInOrderOnOneLeg(t *testing.T) {
	s := newSim(1, 3<<20, 1<<20)
	s.open()
	s.run()
	s.check(t)
	for _, a := range s.apps {
		if !a.n.m.farOver || a.n.m.cur != nil {
			t.Errorf("end %d does not know that both have closed: %+v", a.at, a.n.m)
		}
	}
}

func TestBytesArriveInOrderWhateverBecomesOfTheLegs(t *testing.T) {
	for seed := range uint64(200) {
		s := newSim(seed, 200000+seed*7919%900000, 200000+seed*104729%900000)
		s.open()
		s.harass(20)
		s.run()
		s.check(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// harass does so many unkind things to the legs in the first seconds.
func (s *sim) harass(times int) {
	for range times {
		s.after(s.upTo(3*time.Second), func() {
			a := s.apps[s.rng.IntN(2)]
			switch n := a.n; s.rng.IntN(6) {
			case 0, 1:
				s.lines[s.rng.IntN(len(s.lines))].kill([2]time.Duration{s.upTo(2 * time.Second), s.upTo(2 * time.Second)})
			case 2, 3:
				if n.m != nil && n.m.over == nil && n.m.heard && !n.m.frozen {
					n.dial(n.far, s.rng.IntN(2) == 0)
				}
			case 4:
				if s.rng.IntN(4) == 0 {
					n.moveNow(s.rng.IntN(2) == 0)
				}
			case 5:
				s.lines[s.rng.IntN(len(s.lines))].silence()
			}
		})
	}
}
