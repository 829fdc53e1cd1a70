//go:build figures

package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
)

const renewedPipes = 100

// measureRenewal binds many pipes at one node and counts what it sends to keep
// them bound, over a whole round of renewal.
func (o *overlay) measureRenewal(t *testing.T) {
	binder := o.some(1)[0]
	var listeners []*pipe.Listener
	for range renewedPipes {
		_, l := o.echo(t, binder)
		listeners = append(listeners, l)
	}
	o.Pass(time.Minute)
	round := pipe.DefaultLife / 2
	before := binder.Traffic.Writes(bindingProtocol)
	o.Pass(round)
	sent := float64(binder.Traffic.Writes(bindingProtocol) - before)
	renewed := 0
	for _, l := range listeners {
		if time.Since(l.Status().Binding.Issued) < round+time.Minute {
			renewed++
		}
	}
	o.figure("renewal_pipes_renewed", float64(renewed), "pipes", ">=100")
	o.figure("renewal_messages", sent, "requests", "-")
	o.figure("renewal_rate", sent/round.Seconds(), "requests/s", "<=1")
	for _, l := range listeners {
		go func() { _ = l.Close() }() // a tombstone that does not arrive is no figure
	}
	o.Pass(10 * time.Second)
}
