//go:build figures

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	operations = 100             // of each kind in one run
	quiet      = 3 * time.Second // between operations, so that what one does in the background is over and counted to it
	giveUp     = time.Minute     // for one operation
)

// bindingProtocol is the one whose messages are counted.
var bindingProtocol = pipe.BindingProtocol(pipe.DefaultOverlay)

// overlay measures a world.
type overlay struct {
	*world.World
	job
	report   *figures.Report
	progress func(format string, args ...any)

	connections []float64 // of each node, as each operation begins
	peak        int       // most of any node, also while nothing was measured
}

// atOnce is how many operations are done at the same time, at different nodes:
// few enough for a small world to have readers that hold nothing.
func (o *overlay) atOnce() int { return min(10, max(1, (len(o.Live())-discovery.K)/2)) }

// samples are the outcomes of one kind of operation.
type samples struct {
	rtts     []float64
	messages []float64 // requests that the operating node sent
	failed   int
}

// operation is one thing to measure, at a node given, or at any that is neither
// not nor near enough to key to hold its records.
type operation struct {
	node, not *world.Node
	apart     bool // the node has no connection to not
	key       wire.Key
	do        func(ctx context.Context, n *world.Node) error
}

// outcome is what one operation came to.
type outcome struct {
	took time.Duration
	err  error
}

// timed runs operations at the same time, each at a node of its own, and adds
// what they took: the whole calls, as an application sees them. A reader that
// is answered in no time at all had the record at hand, since a record may be
// stored beyond the nodes nearest to its key; it measures nothing, and another
// one reads.
func (o *overlay) timed(t *testing.T, s *samples, id protocol.ID, ops []operation) {
	for range 5 {
		o.awaitCalm()
		o.place(ops)
		if ops = o.once(t, s, id, ops); len(ops) == 0 {
			return
		}
	}
	t.Errorf("%d readers in a row had the record at hand", 5)
}

// once returns the operations that measured nothing.
func (o *overlay) once(t *testing.T, s *samples, id protocol.ID, ops []operation) (again []operation) {
	outcomes := make([]outcome, len(ops))
	before := o.writes(id)
	ctx, cancel := context.WithTimeout(t.Context(), giveUp)
	defer cancel()
	var all sync.WaitGroup
	for i, op := range ops {
		all.Go(func() {
			began := time.Now()
			outcomes[i].err = op.do(ctx, op.node)
			outcomes[i].took = time.Since(began)
		})
	}
	all.Wait()
	o.Pass(quiet)
	sent := requests(before, o.writes(id), ops)
	for i, op := range ops {
		switch out := outcomes[i]; {
		case out.err != nil:
			o.progress("operation at node %d: %v", op.node.Index, out.err)
			s.failed++
		case out.took == 0:
			again = append(again, op)
		default:
			s.rtts = append(s.rtts, float64(out.took)/float64(o.RTT()))
			s.messages = append(s.messages, sent[op.node])
		}
	}
	return again
}

// writes tells how often each live node has written messages of a protocol.
func (o *overlay) writes(id protocol.ID) map[*world.Node]float64 {
	all := make(map[*world.Node]float64)
	for _, n := range o.Live() {
		all[n] = float64(n.Traffic.Writes(id))
	}
	return all
}

// requests tells how many requests each operating node has sent: what it wrote,
// without the answers that it gave to others, of which it gave as many as the
// nodes that only answered did on average.
func requests(before, after map[*world.Node]float64, ops []operation) map[*world.Node]float64 {
	sent := make(map[*world.Node]float64)
	for _, op := range ops {
		sent[op.node] = after[op.node] - before[op.node]
	}
	var answers []float64
	for n, count := range after {
		if _, operating := sent[n]; !operating {
			answers = append(answers, count-before[n])
		}
	}
	for n := range sent {
		sent[n] -= mean(answers)
	}
	return sent
}

// place gives each operation that may run anywhere a node that no other has.
func (o *overlay) place(ops []operation) {
	taken := make(map[*world.Node]bool)
	for i := range ops {
		op := &ops[i]
		if op.not == nil {
			continue
		}
		far := slices.DeleteFunc(o.far(op.key), func(n *world.Node) bool { return n == op.not || taken[n] })
		op.node = far[rand.IntN(len(far))]
		if op.apart {
			op.node = o.parted(far, op.not)
		}
		taken[op.node] = true
	}
}

// far lists the live nodes that are not near enough to key to hold its records.
func (o *overlay) far(key wire.Key) []*world.Node { return o.byDistance(key)[discovery.K:] }

// byDistance lists the live nodes, nearest to key first.
func (o *overlay) byDistance(key wire.Key) []*world.Node {
	nodes := o.Live()
	at := make(map[*world.Node]wire.Key, len(nodes))
	for _, n := range nodes {
		at[n] = discovery.Distance(key, n.ID())
	}
	slices.SortFunc(nodes, func(a, b *world.Node) int {
		da, db := at[a], at[b]
		return slices.Compare(da[:], db[:])
	})
	return nodes
}

// parted picks one of nodes without a connection to other. Where everybody is
// connected, as in a small world, a connection is closed for it.
func (o *overlay) parted(nodes []*world.Node, other *world.Node) *world.Node {
	strangers := slices.DeleteFunc(slices.Clone(nodes), func(n *world.Node) bool {
		return n.Host().Network().Connectedness(other.ID()) != network.NotConnected
	})
	if len(strangers) > 0 {
		return strangers[rand.IntN(len(strangers))]
	}
	n := nodes[rand.IntN(len(nodes))]
	_ = n.Host().Network().ClosePeer(other.ID()) // one that is closed already is as good
	o.Pass(2 * o.RTT())
	return n
}

// awaitCalm waits until no node has more connections than it may, at most two
// minutes: an operation makes some and a refresh of the routing tables many,
// which the connection manager closes when their time of grace is over.
func (o *overlay) awaitCalm() {
	var counts []float64
	for range 24 {
		counts = o.count()
		if most := slices.Max(counts); most <= float64(o.cap) {
			break
		}
		o.Pass(5 * time.Second)
	}
	o.connections = append(o.connections, counts...)
}

// count tells how many connections each live node has.
func (o *overlay) count() (counts []float64) {
	for _, n := range o.Live() {
		c := len(n.Host().Network().Conns())
		counts = append(counts, float64(c))
		o.peak = max(o.peak, c)
	}
	return counts
}

// figure reports one figure of this world.
func (o *overlay) figure(name string, value float64, unit, bound string) {
	o.report.Add(o.prefix()+name, value, unit, bound)
}

func (o *overlay) reportConnections() {
	if len(o.connections) == 0 {
		o.connections = o.count()
	}
	// Two worlds may be of one size; the figure belongs to the world.
	name := "connections_" + o.name
	o.figure(name+"_mean", mean(o.connections), "connections", "-")
	o.figure(name+"_max", percentile(o.connections, 100), "connections", fmt.Sprintf("<=%d", o.cap))
	o.figure(name+"_peak_between", float64(o.peak), "connections", "-")
}

// bounds of one kind of operation; the empty one asks nothing.
type bounds struct{ p50, p90, p99 string }

// add reports the samples. All but kad-dht's operations must succeed.
func (o *overlay) add(name string, s *samples, b bounds, failed string) {
	o.figure(name+"_operations", float64(len(s.rtts)), "operations", fmt.Sprintf(">=%d", operations))
	o.figure(name+"_failed", float64(s.failed), "operations", failed)
	o.quantiles(name, s.rtts, b)
	o.figure(name+"_messages", mean(s.messages), "requests", "-")
}

// quantiles reports round-trip times.
func (o *overlay) quantiles(name string, rtts []float64, b bounds) {
	for _, q := range []struct {
		p     float64
		bound string
	}{{50, b.p50}, {90, b.p90}, {99, b.p99}} {
		if q.bound == "" {
			q.bound = "-"
		}
		o.figure(fmt.Sprintf("%s_p%.0f", name, q.p), percentile(rtts, q.p), "rtt", q.bound)
	}
}

// rtts is a duration in round trips.
func (o *overlay) rtts(d time.Duration) float64 { return float64(d) / float64(o.RTT()) }
