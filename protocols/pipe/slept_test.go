package pipe

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// TestConnectionGoesOnWhenTheMachineWakes has a machine sleep as far as others
// can tell: they hear nothing of it, give its paths up and forget them, of which
// it hears nothing either. No call of its programs comes meanwhile. What its
// clocks show when it wakes is netwatch's to notice, and tested there; here
// reach is told what netwatch tells then.
func TestConnectionGoesOnWhenTheMachineWakes(t *testing.T) {
	for _, who := range []string{"dialer", "binder"} {
		t.Run(who, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, w *sim) {
				a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{}, DialOptions{})
				sleeper, other, near, far := w.nodes[1], w.nodes[0], a, b
				if who == "binder" {
					sleeper, other, near, far = other, sleeper, b, a
				}
				pass(time.Second) // nothing is owed
				w.mute(sleeper)
				cut(other, sleeper)
				pass(10 * time.Second) // less than an idle connection takes to notice
				if len(sleeper.cfg.Reach.Paths(other.id())) == 0 {
					t.Fatal("the machine that slept knows that its path is gone")
				}
				w.unmute(sleeper)
				begun := time.Now()
				sleeper.cfg.Reach.Disturb(reach.Disturbance{Slept: time.Hour})
				sleeper.cfg.Links.Retry()
				tell(t, far, near, "good morning")
				if took := time.Since(begun); took > 10*rtt {
					t.Errorf("goes on %s after the machine woke", took)
				}
				tell(t, near, far, "slept well")
				legs, _ := a.Legs() // by then the binder seeks too: it has words
				if why := legs[len(legs)-1].Why; why != link.WhyLost && why != link.WhyFar {
					t.Errorf("the last leg began: %s", why)
				}
			})
		})
	}
}
