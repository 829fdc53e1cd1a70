package discovery

import (
	"errors"
	"testing"
	"time"
)

func TestSuspicionPassesAndIsCapped(t *testing.T) {
	s := newServers()
	s.suspect(makePeer(1), t0)
	if !s.suspected(makePeer(1), t0) || s.suspected(makePeer(2), t0) || s.suspected(makePeer(1), t0.Add(suspectFor)) {
		t.Fatal("wrong suspicion")
	}
	s.clear(makePeer(1))
	if s.suspected(makePeer(1), t0) {
		t.Fatal("not cleared")
	}
	for i := range 2 * maxKnown {
		s.suspect(makePeer(i), t0)
	}
	if len(s.suspects) != maxKnown {
		t.Fatal(len(s.suspects))
	}
	s.suspect(makePeer(1), t0.Add(time.Hour))
	if len(s.suspects) != 1 {
		t.Fatal("old suspicion is kept")
	}
}

func TestServerSetTellsWhatChanged(t *testing.T) {
	s := newServers()
	for _, c := range []struct{ in, changed bool }{{false, false}, {true, true}, {true, false}, {false, true}, {false, false}} {
		if s.set(makePeer(1), c.in) != c.changed || s.has(makePeer(1)) != c.in {
			t.Fatalf("%+v", c)
		}
	}
}

func TestSlowReaderGetsTheLastState(t *testing.T) {
	b := newBoard(State{})
	states, cancel := b.subscribe()
	for i := range 10 {
		b.publish(State{Peers: i})
	}
	if s := <-states; s.Peers != 9 {
		t.Fatalf("%+v", s)
	}
	b.publish(State{Peers: 9}) // nothing new
	select {
	case s := <-states:
		t.Fatalf("told twice: %+v", s)
	default:
	}
	cancel()
	cancel()
	if _, ok := <-states; ok {
		t.Fatal("still open")
	}
	other, cancelOther := b.subscribe()
	b.close()
	b.publish(State{Peers: 10})
	if s := <-other; s.Peers != 9 {
		t.Fatalf("%+v", s)
	}
	if _, ok := <-other; ok {
		t.Fatal("open after close")
	}
	cancelOther()
}

func TestStatesAreComparedWithTheirErrors(t *testing.T) {
	a := State{JoinErrors: map[string]error{"x": errors.New("one")}}
	if !a.equal(State{JoinErrors: map[string]error{"x": errors.New("one")}}) ||
		a.equal(State{JoinErrors: map[string]error{"x": errors.New("two")}}) || a.equal(State{}) {
		t.Fatal("wrong comparison")
	}
}
