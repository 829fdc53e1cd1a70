//go:build figures

package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// measureLookups measures resolve and bind, and beside them, where the world
// has them, kad-dht's own provider records on the same routing tables,
// connections and nodes.
func (o *overlay) measureLookups(t *testing.T) {
	var bind, resolve, provide, find samples
	for len(bind.rtts)+bind.failed < operations {
		before := len(resolve.rtts) / 25
		o.lookups(t, &bind, &resolve)
		if len(resolve.rtts)/25 > before {
			o.progress("%d pipes are bound and resolved", len(resolve.rtts))
		}
	}
	near, all := bounds{p50: "<=1.05", p90: "<=1.2", p99: "<=3"}, bounds{p50: "<=2.1"}
	if o.cap < 100 || o.nodes > 250 {
		near, all = bounds{}, bounds{} // the walk has more hops there
	}
	o.add("resolve", &resolve, near, "<=0")
	o.add("bind", &bind, all, "<=0")
	// Afterwards, since a provide makes so many connections that it takes
	// minutes until the nodes have got rid of them.
	for o.kad && len(provide.rtts)+provide.failed < operations {
		o.kadLookups(t, &provide, &find)
	}
	if o.kad {
		o.add("kad_find", &find, bounds{}, "-")
		o.add("kad_provide", &provide, bounds{}, "-")
	}
}

// lookups binds some pipes, resolves each elsewhere and withdraws them.
func (o *overlay) lookups(t *testing.T, bind, resolve *samples) {
	var binds, resolves []operation
	listeners := make([]*pipe.Listener, o.atOnce())
	for i, binder := range o.some(len(listeners)) {
		p := o.create(t, binder)
		binds = append(binds, operation{node: binder, key: p.ID.Key(), do: func(ctx context.Context, n *world.Node) (err error) {
			if listeners[i], err = n.Pipes().Listen(ctx, p.ID, pipe.ListenOptions{}); err != nil {
				return err
			}
			return o.awaitCopies(ctx, p.ID)
		}})
		resolves = append(resolves, operation{not: binder, key: p.ID.Key(), do: func(ctx context.Context, n *world.Node) error {
			_, err := n.Pipes().Resolve(ctx, p.ID, pipe.ResolveOptions{})
			return err
		}})
	}
	o.timed(t, bind, bindingProtocol, binds)
	o.timed(t, resolve, bindingProtocol, resolves)
	for _, l := range listeners {
		if l != nil {
			_ = l.Close() // a tombstone that does not arrive is no figure
		}
	}
	o.Pass(quiet)
}

// awaitCopies waits until five of the 20 nodes that are closest to a pipe hold
// its record. The binder believes so when Listen returns, but its walk goes on,
// and may find nodes that are closer still.
func (o *overlay) awaitCopies(ctx context.Context, id pipe.ID) error {
	closest := o.byDistance(id.Key())[:discovery.K]
	for ctx.Err() == nil {
		copies := 0
		for _, n := range closest {
			// Asked alone, a node looks at what it holds and sends nothing.
			if _, err := n.Pipes().Resolve(ctx, id, pipe.ResolveOptions{Only: []peer.ID{n.ID()}}); err == nil {
				copies++
			}
		}
		if copies >= 5 {
			return nil
		}
		<-time.After(o.RTT() / 50)
	}
	return ctx.Err()
}

// kadLookups does the same with kad-dht's provider records.
func (o *overlay) kadLookups(t *testing.T, provide, find *samples) {
	var provides, finds []operation
	for _, provider := range o.some(o.atOnce()) {
		content := randomCid()
		provides = append(provides, operation{node: provider, key: kadKey(content), do: func(ctx context.Context, n *world.Node) error {
			return n.Discovery().ContentRouting().Provide(ctx, content, true)
		}})
		finds = append(finds, operation{not: provider, key: kadKey(content), do: func(ctx context.Context, n *world.Node) error {
			return findFirst(ctx, n.Discovery().ContentRouting(), content)
		}})
	}
	o.timed(t, provide, kadProtocol, provides)
	o.timed(t, find, kadProtocol, finds)
}

// measureDials measures cold dials up to the first byte that comes back: the
// dialer has neither the record nor a connection to the binder.
func (o *overlay) measureDials(t *testing.T) {
	var dial samples
	for len(dial.rtts)+dial.failed < operations {
		var ops []operation
		var listeners []*pipe.Listener
		for _, binder := range o.some(o.atOnce()) {
			id, l := o.echo(t, binder)
			listeners = append(listeners, l)
			ops = append(ops, operation{not: binder, apart: true, key: id.Key(), do: func(ctx context.Context, n *world.Node) error {
				return bounce(ctx, n, id)
			}})
		}
		o.Pass(quiet)
		o.timed(t, &dial, bindingProtocol, ops)
		for _, l := range listeners {
			_ = l.Close() // as above
		}
	}
	o.add("dial_first_byte", &dial, bounds{p50: "<=3.1"}, "<=0")
}

// some picks n different live nodes.
func (o *overlay) some(n int) []*world.Node {
	live := o.Live()
	rand.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
	return live[:n]
}

func (o *overlay) create(t *testing.T, owner *world.Node) pipe.Pipe {
	t.Helper()
	p, err := owner.CreatePipe(t.Context(), fmt.Sprint("pipe ", rand.Uint64()), pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// echo binds a new pipe at n that sends back what comes in.
func (o *overlay) echo(t *testing.T, n *world.Node) (pipe.ID, *pipe.Listener) {
	t.Helper()
	p := o.create(t, n)
	l, err := n.Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{})
	if err != nil {
		t.Fatalf("bind at node %d: %v", n.Index, err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c) // whatever ends it ends the connection
				_ = c.Close()
			}()
		}
	}()
	return p.ID, l
}

// bounce dials a pipe, sends a byte and waits until it is back.
func bounce(ctx context.Context, n *world.Node, id pipe.ID) error {
	_, err := trade(ctx, n, id, 'x')
	return err
}

// trade dials a pipe, sends a byte and returns the one that comes back.
func trade(ctx context.Context, n *world.Node, id pipe.ID, b byte) (byte, error) {
	c, err := n.Pipes().Dial(ctx, id, pipe.DialOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte{b}); err != nil {
		return 0, err
	}
	back := make([]byte, 1)
	_, err = io.ReadFull(c, back)
	return back[0], err
}

// findFirst returns at the first provider.
func findFirst(ctx context.Context, r routing.ContentRouting, content cid.Cid) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, ok := <-r.FindProvidersAsync(ctx, content, 1); !ok {
		return wire.Errorf(wire.Unbound, "no provider found")
	}
	return nil
}

// kadProtocol is kad-dht's own in the default overlay.
var kadProtocol = discovery.KadProtocol(pipe.DefaultOverlay)

// randomCid is one that nobody has provided before.
func randomCid() cid.Cid {
	mh, err := multihash.Sum([]byte(strconv.FormatUint(rand.Uint64(), 10)), multihash.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// kadKey is where kad-dht puts the records of c.
func kadKey(c cid.Cid) wire.Key { return sha256.Sum256(c.Hash()) }
