package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// TestExplainOfADeadBinderIsOverInSeconds: each time with a cause for each
// address, although the dead one is among the nodes that are asked.
func TestExplainOfADeadBinderIsOverInSeconds(t *testing.T) {
	world.Run(t, world.Config{Nodes: 6}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		id, _ := bind(t, w.Nodes[5].Node, "gone", pipe.CreateOptions{})
		w.Kill(w.Nodes[5])
		for i, within := range []time.Duration{11 * time.Second, 6500 * time.Millisecond} { // first the path to it must be found dead
			began := time.Now()
			e := w.Nodes[4].Pipes().Explain(t.Context(), id, pipe.DialOptions{})
			if took := time.Since(began); took > within || e.Took > 500*time.Millisecond {
				t.Errorf("explanation %d took %s, %s of it before the dial", i+1, took, e.Took)
			}
			if e.State != pipe.StateAnnounced || len(e.Records) != 1 || len(e.Dials) == 0 {
				t.Fatalf("%+v", e)
			}
			for _, d := range e.Dials {
				if d.Endpoint == "" || !strings.Contains(d.Error, "answer") {
					t.Errorf("%+v has no cause", d)
				}
			}
		}
	})
}
