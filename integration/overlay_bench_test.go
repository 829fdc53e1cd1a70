//go:build figures

package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// operations of each kind in one run.
const operations = 100

// quiet is the time between two operations: what an operation does in the
// background after its answer is over, and counted to it.
const quiet = 3 * time.Second

// TestOverlayFigures measures resolve and bind in virtual time, beside
// kad-dht's own provider records on the same routing tables, connections and
// nodes. N in the environment is the number of nodes, 100 if it is not set.
func TestOverlayFigures(t *testing.T) {
	n := 100
	if s := os.Getenv("N"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 30 {
			t.Fatalf("N=%s: a number of nodes of at least 30 is needed, so that there are readers who hold nothing", s)
		}
	}
	// Memory is for speed here: a third of the time goes to collecting garbage.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	report, err := figures.New(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	for _, cap := range []int{100, 40} {
		t.Run(fmt.Sprintf("%dConnections", cap), func(t *testing.T) {
			began := realTime()
			world.Run(t, world.Config{
				Nodes:          n,
				MaxConnections: cap,
				Node:           func(_ int, c *node.Config) { c.Providers = true },
			}, func(t *testing.T, w *world.World) {
				o := &overlay{World: w, cap: cap}
				o.Settle(t)
				o.Pass(15 * time.Minute) // at least one refresh of every routing table
				o.measure(t)
				o.report(report, fmt.Sprintf("overlay_n%d_c%d_", n, cap))
			})
			report.Add(fmt.Sprintf("overlay_n%d_c%d_wall", n, cap), realTime().Sub(began).Seconds(), "s", "-")
		})
	}
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
}

// overlay measures a world.
type overlay struct {
	*world.World
	cap int // connections that a node may have when an operation begins

	bind, resolve, provide, find samples
	connections                  []float64 // of each node, as each operation begins
	peak                         int       // most of any node, also while nothing was measured
}

// samples are the outcomes of one kind of operation.
type samples struct {
	rtts     []float64
	messages []float64 // requests that the operating node sent
	failed   int
}

func (o *overlay) measure(t *testing.T) {
	for i := range operations {
		binder := o.Nodes[rand.IntN(len(o.Nodes))]
		listener, id := o.measureBind(t, i, binder)
		reader := o.reader(id.Key(), binder)
		o.measureResolve(t, reader, id)
		if err := listener.Close(); err != nil {
			t.Errorf("withdrawing pipe %d: %v", i, err)
		}
		o.Pass(quiet)

		key := providerKey(i)
		o.measureProvide(t, binder, key)
		o.measureFind(t, o.reader(kadKey(key), binder), key)
	}
}

// timed runs one operation of n and adds what it took. The operation is the
// whole call, as an application sees it.
func (o *overlay) timed(t *testing.T, s *samples, n *world.Node, id protocol.ID, op func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o.awaitCalm()
	before := n.Traffic.Writes(id)
	began := time.Now()
	err := op(ctx)
	took := time.Since(began)
	o.Pass(quiet)
	if err != nil {
		t.Logf("operation on %s: %v", id, err)
		s.failed++
		return
	}
	s.rtts = append(s.rtts, float64(took)/float64(o.RTT()))
	s.messages = append(s.messages, float64(n.Traffic.Writes(id)-before))
}

func (o *overlay) measureBind(t *testing.T, i int, binder *world.Node) (*pipe.Listener, pipe.ID) {
	p, err := binder.CreatePipe(t.Context(), fmt.Sprintf("bench-%d", i), pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var listener *pipe.Listener
	o.timed(t, &o.bind, binder, pipe.BindingProtocol(pipe.DefaultOverlay), func(ctx context.Context) (err error) {
		listener, err = binder.Pipes().Listen(ctx, p.ID, pipe.ListenOptions{})
		return err
	})
	if listener == nil {
		t.Fatalf("pipe %d could not be bound", i)
	}
	return listener, p.ID
}

func (o *overlay) measureResolve(t *testing.T, reader *world.Node, id pipe.ID) {
	o.timed(t, &o.resolve, reader, pipe.BindingProtocol(pipe.DefaultOverlay), func(ctx context.Context) error {
		found, err := reader.Pipes().Resolve(ctx, id, pipe.ResolveOptions{})
		if err == nil && found.Asked == 0 {
			t.Errorf("node %d had the record at hand: it is no reader to measure", reader.Index)
		}
		return err
	})
}

func (o *overlay) measureProvide(t *testing.T, provider *world.Node, key cid.Cid) {
	o.timed(t, &o.provide, provider, kadProtocol, func(ctx context.Context) error {
		return provider.Discovery().ContentRouting().Provide(ctx, key, true)
	})
}

func (o *overlay) measureFind(t *testing.T, reader *world.Node, key cid.Cid) {
	o.timed(t, &o.find, reader, kadProtocol, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if _, ok := <-reader.Discovery().ContentRouting().FindProvidersAsync(ctx, key, 1); !ok {
			return wire.Errorf(wire.Unbound, "no provider found")
		}
		return nil
	})
}

// reader picks a node at random that is neither the binder nor near enough to
// the key to hold its records. Every key is read once, so nobody has it cached.
func (o *overlay) reader(key wire.Key, binder *world.Node) *world.Node {
	far := slices.Clone(o.Nodes)
	slices.SortFunc(far, func(a, b *world.Node) int {
		da, db := discovery.Distance(key, a.ID()), discovery.Distance(key, b.ID())
		return slices.Compare(da[:], db[:])
	})
	far = slices.DeleteFunc(far[discovery.K+5:], func(n *world.Node) bool { return n == binder })
	return far[rand.IntN(len(far))]
}

// awaitCalm waits until no node has more connections than it may, at most two
// minutes: an operation makes some and a refresh of the routing tables many,
// which the connection manager closes when their time of grace is over.
func (o *overlay) awaitCalm() {
	var counts []float64
	for range 24 {
		counts = counts[:0]
		most := 0
		for _, n := range o.Nodes {
			c := len(n.Host().Network().Conns())
			counts = append(counts, float64(c))
			most = max(most, c)
		}
		o.peak = max(o.peak, most)
		if most <= o.cap {
			break
		}
		o.Pass(5 * time.Second)
	}
	o.connections = append(o.connections, counts...)
}

func (o *overlay) report(r *figures.Report, prefix string) {
	r.Add(prefix+"connections_mean", mean(o.connections), "connections", "-")
	r.Add(prefix+"connections_max", percentile(o.connections, 100), "connections", fmt.Sprintf("<=%d", o.cap))
	r.Add(prefix+"connections_peak_between", float64(o.peak), "connections", "-")
	o.resolve.report(r, prefix+"resolve", "<=0", "<=1.1", "<=2.1")
	o.find.report(r, prefix+"kad_find", "-", "-", "-")
	o.bind.report(r, prefix+"bind", "<=0", "<=3.1", "-")
	o.provide.report(r, prefix+"kad_provide", "-", "-", "-")
}

func (s *samples) report(r *figures.Report, name, failed, p50, p90 string) {
	r.Add(name+"_operations", float64(len(s.rtts)), "operations", ">=100")
	r.Add(name+"_failed", float64(s.failed), "operations", failed)
	r.Add(name+"_p50", percentile(s.rtts, 50), "rtt", p50)
	r.Add(name+"_p90", percentile(s.rtts, 90), "rtt", p90)
	r.Add(name+"_p99", percentile(s.rtts, 99), "rtt", "-")
	r.Add(name+"_messages", mean(s.messages), "requests", "-")
}

// kadProtocol is kad-dht's own in the default overlay.
const kadProtocol = protocol.ID("/" + pipe.DefaultOverlay + "/kad/1.0.0")

// providerKey is a key that nobody has provided before.
func providerKey(i int) cid.Cid {
	mh, err := multihash.Sum([]byte(fmt.Sprint(i, rand.Uint64())), multihash.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// kadKey is where kad-dht puts the records of c.
func kadKey(c cid.Cid) wire.Key { return sha256.Sum256(c.Hash()) }
