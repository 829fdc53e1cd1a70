package netwatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scene is a machine whose interfaces, clocks and events a test makes.
type scene struct {
	*testing.T
	start time.Time
	notes chan note
	told  chan Event

	mu    sync.Mutex
	is    picture       // nil: cannot be read
	sleep time.Duration // the wall clock is ahead
}

// watched runs f beside a Watch, and checks that Run ends when it is told to.
func watched(t *testing.T, is picture, f func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, start: time.Now(), notes: make(chan note), told: make(chan Event, 100), is: is}
		w := &Watch{tell: func(e Event) { s.told <- e }, clocks: s.clocks, look: s.look, source: s.source}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		f(s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (s *scene) clocks() reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return reading{wall: time.Now().Add(s.sleep), mono: time.Since(s.start)}
}

func (s *scene) look() (picture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is == nil {
		return nil, errors.New("too many open files")
	}
	return s.is, nil
}

func (s *scene) source(ctx context.Context, noted chan<- note) {
	for {
		select {
		case n := <-s.notes:
			send(ctx, noted, n)
		case <-ctx.Done():
			return
		}
	}
}

// now makes the interfaces what they are from now on, and says so.
func (s *scene) now(p picture, n note) {
	s.mu.Lock()
	s.is = p
	s.mu.Unlock()
	s.notes <- n
}

// wants checks what is told next, and when: after d from now.
func (s *scene) wants(want Event, d time.Duration) {
	s.Helper()
	begun := time.Now()
	select {
	case got := <-s.told:
		if took := time.Since(begun); fmt.Sprint(got) != fmt.Sprint(want) || took != d {
			s.Errorf("told %v after %v, want %v after %v", got, took, want, d)
		}
	case <-time.After(time.Hour):
		s.Errorf("nothing told, want %v", want)
	}
}

// quiet checks that nothing is told in a minute.
func (s *scene) quiet() {
	s.Helper()
	time.Sleep(time.Minute)
	select {
	case e := <-s.told:
		s.Errorf("told %v", e)
	default:
	}
}

func TestBurstIsToldOnceWhenItIsOver(t *testing.T) {
	home, away := picture{card(2, "192.168.1.7")}, picture{card(2, "10.0.0.9")}
	watched(t, home, func(s *scene) {
		s.quiet()
		s.now(picture{down(card(2))}, note{fell: 2})
		time.Sleep(quietTime / 2)
		s.now(away, note{})
		s.wants(Event{Changed: true, Gone: home[0].addrs}, quietTime)
		s.quiet()
		for range 7 { // it does not end
			time.Sleep(quietTime * 3 / 4)
			s.notes <- note{fell: 2}
		}
		s.now(home, note{fell: 2})
		for range 100 {
			time.Sleep(quietTime / 10)
			s.notes <- note{fell: 2}
			if len(s.told) > 0 {
				break
			}
		}
		s.wants(Event{Changed: true, Gone: away[0].addrs}, 0)
	})
}

func TestEventsThatChangeNothingAreNotTold(t *testing.T) {
	home := picture{card(2, "192.168.1.7"), card(3)}
	watched(t, home, func(s *scene) {
		s.now(home, note{})
		s.now(home, note{fell: 3})
		s.quiet()
		s.now(nil, note{}) // interfaces that cannot be read are not gone
		s.quiet()
		s.now(nil, note{other: true})
		s.wants(Event{Changed: true}, quietTime)
		s.now(home, note{fell: 2})
		s.wants(Event{Changed: true}, quietTime)
		s.quiet()
	})
}

func TestSleepIsToldWithinATickWithWhatChangedMeanwhile(t *testing.T) {
	home, away := picture{card(2, "192.168.1.7")}, picture{card(2, "10.0.0.9")}
	watched(t, home, func(s *scene) {
		time.Sleep(tickTime / 4)
		s.mu.Lock()
		s.sleep = time.Hour
		s.mu.Unlock()
		s.wants(Event{Slept: time.Hour}, tickTime*3/4)
		s.quiet()
		time.Sleep(tickTime / 4) // between two ticks
		s.mu.Lock()
		s.sleep = 2 * time.Hour
		s.mu.Unlock()
		s.now(away, note{}) // its burst would end before the tick
		s.wants(Event{Changed: true, Gone: home[0].addrs}, quietTime)
		s.wants(Event{Slept: time.Hour}, tickTime*3/4-quietTime)
		time.Sleep(tickTime - quietTime/2)
		s.mu.Lock()
		s.sleep = 3 * time.Hour
		s.mu.Unlock()
		s.now(home, note{}) // and this one after it
		s.wants(Event{Slept: time.Hour, Changed: true, Gone: away[0].addrs}, quietTime/2)
		s.quiet()
	})
}

func TestPollingLooksEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		noted := make(chan note)
		go func() { poll(ctx, noted); close(noted) }()
		looks := 0
		for range noted {
			looks++
		}
		if want := int(time.Minute/pollTime) - 1; looks != want && looks != want+1 { // the last comes with the end
			t.Errorf("%d looks in a minute, want %d", looks, want)
		}
	})
}

// TestTheKernelIsHeardAndLeft listens to this machine, whatever it may say.
func TestTheKernelIsHeardAndLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	noted := make(chan note)
	ended := make(chan struct{})
	go func() { listen(ctx, noted); close(ended) }()
	<-noted // the look at the beginning, or the first of polling
	cancel()
	<-ended
	if err := New(func(Event) {}).Run(ctx); err != nil {
		t.Error(err)
	}
}
