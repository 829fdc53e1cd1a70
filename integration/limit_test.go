package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
)

// Half of the nodes around one with few connections die, and as many come and
// join through it, as after an outage.
func TestANodeIsSoonAtItsLimitAgain(t *testing.T) {
	const (
		around, most = 16, 10
		backWithin   = 5 * time.Second
	)
	config := world.Config{Nodes: 1 + around, Node: func(i int, c *node.Config) {
		if i == 0 {
			c.MaxConnections = most
		}
	}}
	world.Run(t, config, func(t *testing.T, w *world.World) {
		hub := w.Nodes[0]
		conns := func() int { return len(hub.Host().Network().Conns()) }
		w.AwaitReady(t)
		w.Pass(time.Minute)
		for i := range around / 2 {
			w.Kill(w.Nodes[1+2*i])
			w.Join(t, hub)
		}
		above := time.Time{} // since when the hub has too many
		for began := time.Now(); time.Since(began) < 2*time.Minute; w.Pass(w.RTT()) {
			switch n := conns(); {
			case n <= most:
				above = time.Time{}
			case n > 2*most:
				t.Fatalf("%d connections at once, with a limit of %d", n, most)
			case above.IsZero():
				above = time.Now()
			case time.Since(above) > backWithin:
				t.Fatalf("above %d connections for %v, now %d", most, time.Since(above), n)
			}
		}
		if n := conns(); n < most/2 {
			t.Errorf("%d connections are left", n)
		}
		if !hub.Discovery().State().Joined {
			t.Error("the node is not part of the overlay any more")
		}
	})
}
