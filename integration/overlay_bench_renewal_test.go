//go:build figures

package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
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
	before := o.requestsOf(t, binder)
	o.Pass(round)
	sent := o.requestsOf(t, binder) - before
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

// requestsOf is how many requests of the binding protocol a node has sent so
// far, by its own count.
func (o *overlay) requestsOf(t *testing.T, n *world.Node) (sent float64) {
	t.Helper()
	families, err := n.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "panpipe_pipe_events_total" && l.GetName() == "kind" && l.GetValue() == string(pipe.EventRequest) {
					sent += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sent
}
