package integration

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// A dialer that has the record of a binder that is dead learns of the new one
// while it tries the old.
func TestACachedRecordOfADeadBinderCostsTwoRoundTripsMore(t *testing.T) {
	world.Run(t, world.Config{Nodes: 30}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		owner, heir := w.Nodes[1], w.Nodes[2]
		id, _ := bind(t, owner.Node, "owner", pipe.CreateOptions{})
		order := nearest(w, id)
		reader := order[len(order)-1] // holds nothing
		if reader == owner || reader == heir {
			reader = order[len(order)-4]
		}
		if got := ask(t, reader.Node, id, pipe.DialOptions{}); got != "owner" {
			t.Fatalf("answered by %q", got)
		}
		capability := grantBind(t, owner.Node, heir.Node, id)
		w.Pass(time.Minute)
		w.Kill(owner)
		bindID(t, heir.Node, id, "heir", pipe.ListenOptions{Capability: capability})
		began := time.Now()
		got := ask(t, reader.Node, id, pipe.DialOptions{})
		// One to hear of the new record, one to open and to be answered there.
		if took := time.Since(began); got != "heir" || took > 3*w.RTT() {
			t.Errorf("answered by %q after %v, want the heir within %v", got, took, 3*w.RTT())
		}
	})
}

// Of several binders one that keeps silent holds nobody up for long.
func TestASilentBinderOfManyIsPassedBy(t *testing.T) {
	world.Run(t, world.Config{Nodes: 8}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		owner, other, reader := w.Nodes[1], w.Nodes[2], w.Nodes[3]
		id, _ := bind(t, owner.Node, "owner", pipe.CreateOptions{Binders: pipe.Many})
		if got := ask(t, reader.Node, id, pipe.DialOptions{}); got != "owner" {
			t.Fatalf("answered by %q", got)
		}
		bindID(t, other.Node, id, "other", pipe.ListenOptions{Capability: grantBind(t, owner.Node, other.Node, id)})
		if _, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Fresh: true}); err != nil {
			t.Fatal(err)
		}
		w.Pass(time.Second)
		w.Kill(owner)
		began := time.Now()
		got := ask(t, reader.Node, id, pipe.DialOptions{})
		if took := time.Since(began); got != "other" || took > 2*time.Second {
			t.Errorf("answered by %q after %v", got, took)
		}
	})
}

// A binder with two addresses loses the one that a dialer is connected to.
func TestADeadPathIsFoundOutAndAnotherMade(t *testing.T) {
	second := netip.MustParseAddr("99.1.1.1")
	listen := func(i int, c *node.Config) {
		if i == 2 {
			c.Listen = append([]string{fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", second)}, c.Listen...)
		}
	}
	world.Run(t, world.Config{Nodes: 6, Node: listen}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		binder, reader := w.Nodes[2], w.Nodes[4]
		id, _ := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		c, err := reader.Pipes().Dial(t.Context(), id, pipe.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := exchange(t, c); got != "pipe" {
			t.Fatalf("answered by %q", got)
		}
		_ = c.Close()
		lost, err := manet.ToIP(c.RemoteEndpoint())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range w.Nodes {
			if other != reader && other != binder {
				w.Kill(other) // nobody else has news
			}
		}
		gone, _ := netip.AddrFromSlice(lost)
		w.Net.SetDrop(func(p world.Packet) bool { return p.From == gone.Unmap() || p.To == gone.Unmap() })
		began := time.Now()
		got := ask(t, reader.Node, id, pipe.DialOptions{})
		if took := time.Since(began); got != "pipe" || took > 7*time.Second {
			t.Errorf("answered by %q after %v", got, took)
		}
	})
}
