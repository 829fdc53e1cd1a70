package pipe

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// away loses a node's paths to another, which hears nothing of it.
func (w *sim) away(n, from *node) {
	w.mute(n)
	cut(n, from)
	pass(time.Second)
	w.unmute(n)
}

// TestBinderComesBackToItsDialer, which has not noticed that the path is dead: at
// once when the binder's address has changed, and else after the dialer has had
// some seconds, if there is something to say.
func TestBinderComesBackToItsDialer(t *testing.T) {
	for name, changed := range map[string]bool{"its address has changed": true, "the path has died": false} {
		t.Run(name, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, w *sim) {
				dialer, binder := w.nodes[1], w.nodes[0]
				a, b := joined(t, dialer, binder, ListenOptions{}, DialOptions{})
				pass(time.Second) // nothing is owed
				begun := time.Now()
				w.away(binder, dialer)
				if len(dialer.cfg.Reach.Paths(binder.id())) == 0 {
					t.Fatal("the dialer knows that the path is gone")
				}
				least := 5 * time.Second
				if changed {
					binder.links.AddressChanged()
					least = time.Second
				}
				tell(t, b, a, "here I am")
				if took := time.Since(begun); took < least+3*rtt/2 || took > least+3*rtt/2+time.Millisecond {
					t.Errorf("goes on after %s, want %s, a round trip for the connection and half a one for what is told", took, least)
				}
				tell(t, a, b, "glad to hear it")
				if legs, n := a.Legs(); n != 2 || legs[1].Why != link.WhyFar || legs[1].Transport != reach.QUIC {
					t.Errorf("%d legs, the last %+v", n, legs[len(legs)-1])
				}
			})
		})
	}
}

// TestBothComeBackAtOnce: both notice, and both seek. There is one leg more, or
// two where both were taken in turn.
func TestBothComeBackAtOnce(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		dialer, binder := w.nodes[1], w.nodes[0]
		a, b := joined(t, dialer, binder, ListenOptions{}, DialOptions{})
		for range 5 {
			_, before := a.Legs()
			pass(time.Second)
			w.mute(binder)
			cut(binder, dialer)
			cut(dialer, binder)
			pass(time.Second)
			w.unmute(binder)
			begun := time.Now()
			binder.links.AddressChanged()
			dialer.links.AddressChanged()
			tell(t, a, b, "hello")
			tell(t, b, a, "hello to you")
			if took := time.Since(begun); took > 6*rtt {
				t.Errorf("goes on after %s", took)
			}
			pass(time.Minute)
			if _, n := a.Legs(); n-before > 2 {
				t.Errorf("%d legs more", n-before)
			}
		}
	})
}
