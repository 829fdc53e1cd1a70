package roster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/session/account"
)

// Devices of two people come, leave, die and write at random. In the end, when
// all are there, all show the same, each message once, and each is connected to
// each.
func TestWhateverHappensAllShowTheSameInTheEnd(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for seed := range rounds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inWorld(t, func(w *world) { chaos(w, rand.New(rand.NewPCG(uint64(seed), 6))) })
		})
	}
}

func chaos(w *world, r *rand.Rand) {
	laptop, bob := w.person("alice"), w.person("bob")
	devices := []*node{laptop, bob, laptop.linked("phone"), bob.linked("tablet")}
	w.pass(10 * time.Second)
	bob.befriends(laptop)
	w.pass(10 * time.Second)
	said := 0
	for range 150 {
		n := devices[r.IntN(len(devices))]
		switch r.IntN(6) {
		case 0:
			n.stop()
		case 1:
			if n.Roster != nil {
				n.crash()
			}
		case 2, 3:
			if n.Roster == nil {
				n.start()
			}
		default:
			to := map[bool]*node{true: laptop, false: bob}[n.accountID() == bob.accountID()]
			if n.Roster == nil {
				break
			}
			if b, _ := n.Buddy(to.accountID()); b.State == account.Accepted {
				n.say(to, fmt.Sprint(said))
				said++
			}
		}
		w.pass(time.Duration(r.IntN(int(3 * time.Minute))))
		if r.IntN(2) == 0 {
			w.pass(time.Duration(r.IntN(int(200 * time.Millisecond))))
		}
	}
	for _, n := range devices {
		if n.Roster == nil {
			n.start()
		}
	}
	w.pass(5 * time.Minute)
	want := laptop.history(bob)
	if len(want) != said {
		w.t.Errorf("%d messages are shown, %d were written", len(want), said)
	}
	for _, n := range devices {
		other := map[bool]*node{true: laptop, false: bob}[n.accountID() == bob.accountID()]
		if got := n.history(other); !slices.Equal(got, want) {
			w.t.Errorf("%s shows %d messages: %q, want %q", n.name, len(got), got, want)
		}
		for _, far := range devices {
			if far.accountID() != n.accountID() && n.sees(far) != Connected {
				w.t.Errorf("%s sees %s as %v", n.name, far.name, n.sees(far))
			}
		}
		if got := len(n.Sessions()); got != len(devices)-1 {
			w.t.Errorf("%s has %d sessions", n.name, got)
		}
	}
}
