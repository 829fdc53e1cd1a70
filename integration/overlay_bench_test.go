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
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	operations = 100 // of each kind in one run
	atOnce     = 5   // of them at the same time, at different nodes
)

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
		if n, err = strconv.Atoi(s); err != nil || n < 40 {
			t.Fatalf("N=%s: a number of nodes of at least 40 is needed, so that there are readers who hold nothing", s)
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
	for range operations / atOnce {
		var binds, resolves, provides, finds []operation
		var listeners [atOnce]*pipe.Listener
		for i, k := range rand.Perm(len(o.Nodes))[:atOnce] {
			binder := o.Nodes[k]
			p, err := binder.CreatePipe(t.Context(), fmt.Sprint(time.Now().UnixNano()), pipe.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			binds = append(binds, operation{node: binder, key: p.ID.Key(), do: func(ctx context.Context, n *world.Node) (err error) {
				listeners[i], err = n.Pipes().Listen(ctx, p.ID, pipe.ListenOptions{})
				return err
			}})
			resolves = append(resolves, operation{not: binder, key: p.ID.Key(), do: func(ctx context.Context, n *world.Node) error {
				_, err := n.Pipes().Resolve(ctx, p.ID, pipe.ResolveOptions{})
				return err
			}})
			content := randomCid()
			provides = append(provides, operation{node: binder, key: kadKey(content), do: func(ctx context.Context, n *world.Node) error {
				return n.Discovery().ContentRouting().Provide(ctx, content, true)
			}})
			finds = append(finds, operation{not: binder, key: kadKey(content), do: func(ctx context.Context, n *world.Node) error {
				return findFirst(ctx, n.Discovery().ContentRouting(), content)
			}})
		}
		o.timed(t, &o.bind, pipe.BindingProtocol(pipe.DefaultOverlay), binds)
		o.timed(t, &o.resolve, pipe.BindingProtocol(pipe.DefaultOverlay), resolves)
		for _, l := range listeners {
			if l != nil {
				_ = l.Close() // a tombstone that does not arrive is no figure
			}
		}
		o.Pass(quiet)
		o.timed(t, &o.provide, kadProtocol, provides)
		o.timed(t, &o.find, kadProtocol, finds)
	}
}

// operation is one thing to measure, at a node given, or at any that is neither
// not nor near enough to key to hold its records.
type operation struct {
	node, not *world.Node
	key       wire.Key
	do        func(ctx context.Context, n *world.Node) error
}

// outcome is what one operation came to.
type outcome struct {
	took   time.Duration
	err    error
	before int64 // writes of the node
}

// timed runs operations at the same time, each at a node of its own, and adds
// what they took: the whole calls, as an application sees them. A reader that
// is answered in no time at all had the record at hand, since a record may be
// stored beyond the nodes nearest to its key; it measures nothing, and another
// one reads.
func (o *overlay) timed(t *testing.T, s *samples, id protocol.ID, ops []operation) {
	o.awaitCalm()
	o.place(ops)
	outcomes := make([]outcome, len(ops))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, op := range ops {
		outcomes[i].before = op.node.Traffic.Writes(id)
		all.Go(func() {
			began := time.Now()
			outcomes[i].err = op.do(ctx, op.node)
			outcomes[i].took = time.Since(began)
		})
	}
	all.Wait()
	o.Pass(quiet)
	var again []operation
	for i, op := range ops {
		out := outcomes[i]
		switch {
		case out.err != nil:
			t.Logf("operation on %s: %v", id, out.err)
			s.failed++
		case out.took == 0:
			again = append(again, op)
		default:
			s.rtts = append(s.rtts, float64(out.took)/float64(o.RTT()))
			s.messages = append(s.messages, float64(op.node.Traffic.Writes(id)-out.before))
		}
	}
	if len(again) > 0 {
		o.timed(t, s, id, again)
	}
}

// place gives each operation that may run anywhere a node that no other has.
func (o *overlay) place(ops []operation) {
	taken := make(map[*world.Node]bool)
	for i := range ops {
		if ops[i].not == nil {
			continue
		}
		far := slices.Clone(o.Nodes)
		slices.SortFunc(far, func(a, b *world.Node) int {
			da, db := discovery.Distance(ops[i].key, a.ID()), discovery.Distance(ops[i].key, b.ID())
			return slices.Compare(da[:], db[:])
		})
		far = slices.DeleteFunc(far[discovery.K:], func(n *world.Node) bool { return n == ops[i].not || taken[n] })
		ops[i].node = far[rand.IntN(len(far))]
		taken[ops[i].node] = true
	}
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
