package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// nearest lists the live nodes by their distance to a pipe's key.
func nearest(w *world.World, id pipe.ID) []*world.Node {
	nodes := w.Live()
	slices.SortFunc(nodes, func(a, b *world.Node) int {
		da, db := discovery.Distance(id.Key(), a.ID()), discovery.Distance(id.Key(), b.ID())
		return slices.Compare(da[:], db[:])
	})
	return nodes
}

func TestOverlaysOfEverySizeResolveFromEveryNode(t *testing.T) {
	for _, size := range []int{1, 2, 3, 20} {
		t.Run(fmt.Sprintf("%dNodes", size), func(t *testing.T) {
			world.Run(t, world.Config{Nodes: size}, func(t *testing.T, w *world.World) {
				w.AwaitReady(t)
				id, _ := bind(t, w.Nodes[size-1].Node, "last", pipe.CreateOptions{})
				for _, n := range w.Nodes {
					found, err := n.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{})
					if err != nil {
						t.Fatalf("resolve at node %d: %v", n.Index, err)
					}
					if got := found.Bindings[0].Binding.Binder; got != w.Nodes[size-1].Principal() {
						t.Errorf("node %d found %s", n.Index, got)
					}
					if got := ask(t, n.Node, id, pipe.DialOptions{}); got != "last" {
						t.Errorf("node %d was answered by %q", n.Index, got)
					}
				}
			})
		})
	}
}

func TestAPipeThatNobodyBoundIsUnboundEverywhere(t *testing.T) {
	world.Run(t, world.Config{Nodes: 3}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		p, err := w.Nodes[1].CreatePipe(t.Context(), "silent", pipe.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range w.Nodes {
			if _, err := n.Pipes().Resolve(t.Context(), p.ID, pipe.ResolveOptions{}); !errors.Is(err, wire.Unbound) {
				t.Errorf("node %d: %v, want unbound", n.Index, err)
			}
		}
		began := time.Now()
		_, err = w.Nodes[2].Pipes().Dial(t.Context(), p.ID, pipe.DialOptions{Wait: 20 * time.Second})
		if waited := time.Since(began); !errors.Is(err, wire.Unbound) || waited < 20*time.Second || waited > 21*time.Second {
			t.Errorf("%v after %v, want unbound after the 20 s asked for", err, waited)
		}
	})
}

func TestADialThatWaitsMeetsTheBinderThatComes(t *testing.T) {
	world.Run(t, world.Config{Nodes: 3}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		owner := w.Nodes[1]
		p, err := owner.CreatePipe(t.Context(), "late", pipe.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan string)
		go func() { answer <- ask(t, w.Nodes[2].Node, p.ID, pipe.DialOptions{Wait: time.Minute}) }()
		w.Pass(10 * time.Second)
		bindID(t, owner.Node, p.ID, "late", pipe.ListenOptions{})
		if got := <-answer; got != "late" {
			t.Errorf("answered by %q", got)
		}
	})
}

func TestAPipeOutlivesAFifthOfItsHolders(t *testing.T) {
	world.Run(t, world.Config{Nodes: 25}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		binder := w.Nodes[7]
		began := time.Now()
		id, _ := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		if took := time.Since(began); took > w.RTT()*11/10 {
			t.Errorf("bound after %v, want one round trip to nodes that are all connected", took)
		}
		w.Pass(10 * time.Second)
		order := nearest(w, id)
		reader := order[len(order)-1] // holds nothing
		if reader == binder {
			reader = order[len(order)-2]
		}
		began = time.Now()
		found, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{})
		if took := time.Since(began); err != nil || found.Asked == 0 || took < w.RTT() || took > w.RTT()*11/10 {
			t.Errorf("resolved after %v as %+v, %v, want one round trip", took, found, err)
		}
		// Every fifth of those who hold it, the nearest of them all among them.
		for i, n := range order[:discovery.K] {
			if i%5 == 0 && n != binder {
				w.Kill(n)
			}
		}
		for _, n := range w.Live() {
			began := time.Now()
			if got := ask(t, n.Node, id, pipe.DialOptions{}); got != "pipe" {
				t.Errorf("node %d was answered by %q", n.Index, got)
			}
			// Two round trips to resolve and to open, one for the answer, and
			// what a dial takes where there is no connection yet.
			if took := time.Since(began); took > 10*w.RTT() {
				t.Errorf("node %d was answered after %v", n.Index, took)
			}
		}
	})
}

func TestASplitOverlayServesBothSidesAndHeals(t *testing.T) {
	world.Run(t, world.Config{Nodes: 10}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		left, right := w.Nodes[:5], w.Nodes[5:]
		before, _ := bind(t, left[1].Node, "before", pipe.CreateOptions{})
		w.Split(left, right)
		w.Pass(time.Minute)

		during, _ := bind(t, right[2].Node, "during", pipe.CreateOptions{})
		if got := ask(t, right[4].Node, during, pipe.DialOptions{}); got != "during" {
			t.Errorf("on the right: answered by %q", got)
		}
		if got := ask(t, left[4].Node, before, pipe.DialOptions{}); got != "before" {
			t.Errorf("on the left: answered by %q", got)
		}
		if _, err := left[3].Pipes().Resolve(t.Context(), during, pipe.ResolveOptions{}); !errors.Is(err, wire.Unbound) {
			t.Errorf("a pipe of the right resolved on the left: %v", err)
		}

		w.Net.Heal()
		w.Pass(5 * time.Minute)
		if got := ask(t, left[3].Node, during, pipe.DialOptions{}); got != "during" {
			t.Errorf("healed: answered by %q", got)
		}
		if got := ask(t, right[3].Node, before, pipe.DialOptions{}); got != "before" {
			t.Errorf("healed: answered by %q", got)
		}
	})
}

func TestTheOverlayGoesOnWithoutItsBootstrapNode(t *testing.T) {
	world.Run(t, world.Config{Nodes: 8}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		old, _ := bind(t, w.Nodes[3].Node, "old", pipe.CreateOptions{})
		w.Kill(w.Nodes[0])
		bound, _ := bind(t, w.Nodes[4].Node, "new", pipe.CreateOptions{})
		for _, n := range w.Live() {
			if got := ask(t, n.Node, old, pipe.DialOptions{}) + " " + ask(t, n.Node, bound, pipe.DialOptions{}); got != "old new" {
				t.Errorf("node %d was answered by %q", n.Index, got)
			}
		}
		late := w.AddThrough(t, w.Nodes[5])
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := late.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, late.Node, old, pipe.DialOptions{}); got != "old" {
			t.Errorf("the late node was answered by %q", got)
		}
	})
}

func TestReadersWithAnOldRecordReachTheNewBinder(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(t *testing.T, w *world.World, old *world.Node) // after the move
	}{
		{"TheOldOneRedirects", func(*testing.T, *world.World, *world.Node) {}},
		{"TheOldOneIsDead", func(_ *testing.T, w *world.World, old *world.Node) { w.Kill(old) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			world.Run(t, world.Config{Nodes: 6}, func(t *testing.T, w *world.World) {
				w.AwaitReady(t)
				owner, heir, reader := w.Nodes[1], w.Nodes[2], w.Nodes[3]
				id, first := bind(t, owner.Node, "owner", pipe.CreateOptions{})
				if got := ask(t, reader.Node, id, pipe.DialOptions{}); got != "owner" {
					t.Fatalf("answered by %q", got)
				}
				bindID(t, heir.Node, id, "heir", pipe.ListenOptions{Capability: grantBind(t, owner.Node, heir.Node, id)})
				<-first.Replaced()
				c.then(t, w, owner)
				if got := ask(t, reader.Node, id, pipe.DialOptions{}); got != "heir" {
					t.Errorf("answered by %q", got)
				}
			})
		})
	}
}

func TestABinderThatChangesItsAddressIsFoundAgain(t *testing.T) {
	world.Run(t, world.Config{Nodes: 6}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		binder, reader := w.Nodes[2], w.Nodes[4]
		id, _ := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		if got := ask(t, reader.Node, id, pipe.DialOptions{}); got != "pipe" {
			t.Fatalf("answered by %q", got)
		}
		w.Move(t, binder)
		w.Pass(time.Minute)
		for _, n := range w.Live() {
			if got := ask(t, n.Node, id, pipe.DialOptions{}); got != "pipe" {
				t.Errorf("node %d was answered by %q", n.Index, got)
			}
		}
	})
}

func TestARestartedNodeRejoinsThroughPeersItRemembers(t *testing.T) {
	dir := t.TempDir()
	config := func(i int, c *node.Config) {
		if i == 3 {
			c.StateDir = dir
		}
	}
	world.Run(t, world.Config{Nodes: 6, Node: config}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		id, _ := bind(t, w.Nodes[2].Node, "pipe", pipe.CreateOptions{})
		n := w.Nodes[3]
		before := n.ID()
		w.Kill(w.Nodes[0]) // through which everybody had joined
		w.Stop(t, n)
		w.Restart(t, n)
		if n.ID() != before {
			t.Errorf("it came back as %s", n.ID())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := n.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, n.Node, id, pipe.DialOptions{}); got != "pipe" {
			t.Errorf("answered by %q", got)
		}
	})
}
