package link

import (
	"math/rand/v2"
	"testing"
	"time"
)

// check fails the test unless both streams came whole and ended well.
func (s *sim) check(t *testing.T) {
	t.Helper()
	for _, e := range s.ends {
		if e.read != e.toRead || !e.sawEOF || e.err != errComplete {
			t.Errorf("end %d: %d of %d bytes written, %d of %d read, end seen: %v, err: %v",
				e.at, e.written, e.toWrite, e.read, e.toRead, e.sawEOF, e.err)
		}
		if m := e.m; m.in.q.mem != 0 || m.out.q.mem != 0 || m.in.ahead.mem != 0 {
			t.Errorf("end %d holds memory: %d, %d, %d", e.at, m.in.q.mem, m.out.q.mem, m.in.ahead.mem)
		}
	}
}

func never() bool { return false }

func TestBytesArriveInOrderOnOneLeg(t *testing.T) {
	s := newSim(1, 3<<20, 1<<20)
	s.run(never)
	s.check(t)
	for _, e := range s.ends {
		if !e.m.farOver || e.m.cur != nil {
			t.Errorf("end %d does not know that both have closed: %+v", e.at, e.m)
		}
	}
}

func TestBytesArriveInOrderWhateverBecomesOfTheLegs(t *testing.T) {
	for seed := range uint64(300) {
		s := newSim(seed, rand.N(uint64(1<<20)), rand.N(uint64(1<<20)))
		s.harass(20)
		s.run(never)
		s.check(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// harass does so many unkind things to the legs in the first seconds.
func (s *sim) harass(times int) {
	for range times {
		s.after(time.Duration(s.rng.IntN(3000))*time.Millisecond, func() {
			switch e := s.ends[s.rng.IntN(2)]; s.rng.IntN(4) {
			case 0, 1:
				c := s.legs[s.rng.IntN(len(s.legs))]
				c.kill(time.Duration(s.rng.IntN(2000))*time.Millisecond, time.Duration(s.rng.IntN(2000))*time.Millisecond)
			case 2:
				if e.m.over == nil && e.m.heard {
					e.dial(true)
				}
			case 3:
				if e.m.over == nil && e.m.heard {
					e.dial(false)
				}
			}
		})
	}
}
