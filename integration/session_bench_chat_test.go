//go:build figures

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/session/roster"
)

const (
	chatNodes  = 20
	chatRounds = 100 // messages while the session stands
	coldRounds = 10  // first messages between idle buddies
	freshTurns = 10  // processes that begin anew
	buddyIdle  = 10 * time.Minute
)

// rtts is how many round trips lie between two moments; a moment that never came
// is a minute after.
func rtts(w *world.World, began, at time.Time) float64 {
	if at.IsZero() {
		at = began.Add(time.Minute)
	}
	return float64(at.Sub(began)) / float64(w.RTT())
}

// measureChat measures how long a message takes from Send until it is shown.
func measureChat(t *testing.T, report *figures.Report) {
	world.Run(t, world.Config{Nodes: chatNodes}, func(t *testing.T, w *world.World) {
		alice, phone, bob := buddies(t, w)
		var cold []float64
		for i := range coldRounds { // each has not talked with alice before
			carol := newPerson(t, w.Nodes[8+i], "carol")
			w.Pass(5 * time.Second)
			carol.befriends(w, alice)
			w.Pass(buddyIdle) // nobody looks any more
			if alice.sees(carol) == roster.Connected {
				t.Fatal("they are not idle")
			}
			text, began := fmt.Sprint("cold ", i), time.Now()
			carol.say(alice, text)
			w.Pass(5 * time.Second)
			first := alice.when(message(text))
			if other := phone.when(message(text)); first.IsZero() || !other.IsZero() && other.Before(first) {
				first = other
			}
			cold = append(cold, rtts(w, began, first))
		}
		done := bob.roster().Attend(alice.id())
		defer done()
		w.Pass(10 * time.Second)
		var both []float64
		for i := range chatRounds {
			text, began := fmt.Sprint("warm ", i), time.Now()
			bob.say(alice, text)
			w.Pass(time.Second)
			both = append(both, max(rtts(w, began, alice.when(message(text))), rtts(w, began, phone.when(message(text)))))
		}
		report.Add("session_message_both_devices_p50", percentile(both, 50), "rtt", "<=0.6")
		report.Add("session_message_both_devices_p99", percentile(both, 99), "rtt", "-")
		report.Add("session_first_message_idle_buddy_p50", percentile(cold, 50), "rtt", "<=4")
		report.Add("session_first_message_idle_buddy_max", percentile(cold, 100), "rtt", "-")
	})
}

// measureFresh measures a process that begins with an account and remembered
// addresses: until a buddy is shown, and until what it wrote meanwhile is there.
func measureFresh(t *testing.T, report *figures.Report) {
	dir := t.TempDir()
	withState := func(i int, c *node.Config) {
		if i == 5 {
			c.StateDir = dir
		}
	}
	world.Run(t, world.Config{Nodes: chatNodes, Node: withState}, func(t *testing.T, w *world.World) {
		alice, _, bob := buddies(t, w)
		w.Pass(time.Minute)
		var shown, delivered []float64
		for i := range freshTurns {
			w.Stop(t, bob.Node)
			w.Pass(time.Minute)
			text := fmt.Sprint("while you were away ", i)
			alice.say(bob, text)
			bob.forget()
			began := time.Now()
			w.Restart(t, bob.Node)
			bob = watched(t, bob.Node, "bob")
			w.Pass(time.Minute)
			shown = append(shown, rtts(w, began, bob.when(connected)))
			delivered = append(delivered, rtts(w, began, bob.when(message(text))))
		}
		report.Add("session_fresh_buddy_shown_p50", percentile(shown, 50), "rtt", "<=10")
		report.Add("session_fresh_first_message_p50", percentile(delivered, 50), "rtt", "<=10")
		report.Add("session_fresh_first_message_max", percentile(delivered, 100), "rtt", "-")
	})
}
