package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/session/roster"
)

// when is when p was first told of such an event since its events were forgotten.
func (p *person) when(ok func(roster.Event) bool) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if ok(e) {
			return e.At
		}
	}
	return time.Time{}
}

func (p *person) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = nil
}

func message(text string) func(roster.Event) bool {
	return func(e roster.Event) bool { return e.Kind == roster.EventMessage && e.Message.Text == text }
}

func connected(e roster.Event) bool {
	return e.Kind == roster.EventPresence && e.Presence == roster.Connected
}

// wantWithin fails unless an event came within so many round trips.
func wantWithin(t *testing.T, w *world.World, what string, began, at time.Time, most float64) {
	t.Helper()
	took := float64(at.Sub(began)) / float64(w.RTT())
	t.Logf("%s: %.2f RTT", what, took)
	if at.IsZero() || took > most {
		t.Errorf("%s: after %.2f RTT, want at most %.2f", what, took, most)
	}
}

func TestFiguresOfPeople(t *testing.T) {
	dirs := map[int]string{5: t.TempDir()}
	withState := func(i int, c *node.Config) { c.StateDir = dirs[i] }
	world.Run(t, world.Config{Nodes: 20, Node: withState}, func(t *testing.T, w *world.World) {
		alice, phone, bob := buddies(t, w)
		w.Pass(10 * time.Minute) // nobody looks any more

		if alice.sees(bob) != roster.Announced || bob.sees(alice) != roster.Announced {
			t.Errorf("alice sees %v, bob %v", alice.sees(bob), bob.sees(alice))
		}
		began := time.Now()
		bob.say(alice, "cold")
		w.Pass(5 * time.Second)
		wantWithin(t, w, "first message to an idle buddy", began, alice.when(message("cold")), 4)

		w.Pass(time.Minute)
		began = time.Now()
		bob.say(alice, "warm")
		w.Pass(time.Second)
		for _, p := range []*person{alice, phone} {
			wantWithin(t, w, "session stands, "+p.name, began, p.when(message("warm")), 0.6)
		}

		alice.forget()
		w.Stop(t, bob.Node)
		w.Pass(time.Minute)
		alice.say(bob, "while you were away")
		began = time.Now()
		w.Restart(t, bob.Node)
		bob = watched(t, bob.Node, "bob")
		w.Pass(time.Minute)
		wantWithin(t, w, "fresh process: buddy shown", began, bob.when(connected), 10)
		wantWithin(t, w, "fresh process: first message", began, bob.when(message("while you were away")), 10)
		bob.wantHistory(alice, "cold", "warm", "while you were away")
	})
}
