package world

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node"
)

// Config says what a world is made of. The zero Config is an empty one.
type Config struct {
	// Nodes is how many nodes there are at the start.
	Nodes int
	// OneWay is how long a packet takes from node to node; 0 means 25 ms, which
	// is a round trip of 50 ms.
	OneWay time.Duration
	// Bandwidth of each node, up and down, in bit/s; 0 means 1 Gbit/s.
	Bandwidth int
	// MaxConnections of each node; 0 means the node's own default.
	MaxConnections int
	// Stagger is the time between the starts of two nodes; 0 means 100 ms.
	Stagger time.Duration
	// Node has the last word on the configuration of node i; may be nil.
	Node func(i int, c *node.Config)
	// Log takes the records of all nodes, each with the attribute "node"; nil
	// discards them.
	Log *slog.Logger
}

func (c *Config) normalize() {
	if c.OneWay == 0 {
		c.OneWay = 25 * time.Millisecond
	}
	if c.Bandwidth == 0 {
		c.Bandwidth = 1_000_000_000
	}
	if c.Stagger == 0 {
		c.Stagger = 100 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// World is a network and the nodes on it. Its methods are called from the
// goroutine of the test.
type World struct {
	Net   *Network
	Nodes []*Node // in the order of their starts, dead ones included

	cfg     Config
	closing sync.WaitGroup // of nodes killed or stopped
}

// Run makes a world in a synctest bubble, starts its nodes, runs test in it and
// takes it down again. Whatever goroutine a node leaves behind fails the test.
func Run(t *testing.T, cfg Config, test func(t *testing.T, w *World)) {
	t.Helper()
	cfg.normalize()
	synctest.Test(t, func(t *testing.T) {
		w := &World{cfg: cfg, Net: newNetwork(cfg.OneWay, cfg.Bandwidth)}
		defer w.close()
		for range cfg.Nodes {
			w.Add(t)
		}
		test(t, w)
	})
}

// RTT is the time of a round trip between two nodes.
func (w *World) RTT() time.Duration { return 2 * w.cfg.OneWay }

// Node is a node of a world.
type Node struct {
	*node.Node
	// Index is its place in World.Nodes.
	Index int
	// IP is its present address.
	IP netip.Addr
	// Traffic counts what it sends by protocol.
	Traffic *Traffic

	down bool // killed or stopped
	cfg  node.Config
}

// Down reports that the node was killed or stopped.
func (n *Node) Down() bool { return n.down }

// ipOf spreads nodes over the /16 networks that begin with 12.0.0.0/16, all of
// them public; turn tells the addresses of a node that moves apart.
func ipOf(i, turn int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(12 + i/250), byte(i % 250), byte(turn), 1})
}

// listenOn is the address of a node's only endpoint.
func listenOn(ip netip.Addr) string { return fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", ip) }

// Add starts one more node, which joins through node 0.
func (w *World) Add(t testing.TB) *Node {
	t.Helper()
	if len(w.Nodes) == 0 {
		return w.AddThrough(t)
	}
	return w.AddThrough(t, w.Nodes[0])
}

// AddThrough starts one more node, which joins through the given ones, and
// waits a little before the next.
func (w *World) AddThrough(t testing.TB, through ...*Node) *Node {
	t.Helper()
	n := w.Join(t, through...)
	time.Sleep(w.cfg.Stagger)
	return n
}

// Join starts one more node, which joins through the given ones, and returns
// as soon as node.Start does.
func (w *World) Join(t testing.TB, through ...*Node) *Node {
	t.Helper()
	n := &Node{Index: len(w.Nodes), Traffic: newTraffic()}
	n.IP = ipOf(n.Index, 1)
	n.cfg = node.Config{
		Listen:              []string{listenOn(n.IP)},
		DisableMDNS:         true,
		DisablePortMapping:  true,
		DisableNetworkWatch: true,
		MaxConnections:      w.cfg.MaxConnections,
		Log:                 w.cfg.Log.With("node", n.Index),
	}
	for _, other := range through {
		n.cfg.Join = append(n.cfg.Join, other.addr())
	}
	if w.cfg.Node != nil {
		w.cfg.Node(n.Index, &n.cfg)
	}
	w.start(t, n)
	w.Nodes = append(w.Nodes, n)
	return n
}

// start runs n with its configuration, at its address.
func (w *World) start(t testing.TB, n *Node) {
	t.Helper()
	cfg := n.cfg
	cfg.Libp2p = append(append(cfg.Libp2p, w.Net.Options()...), libp2p.BandwidthReporter(n.Traffic), withoutAutoNAT)
	started, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start of node %d: %v", n.Index, err)
	}
	n.Node, n.down = started, false
}

func withoutAutoNAT(c *libp2p.Config) error {
	c.EnableAutoNATv2 = false
	return nil
}

// addr is where others join through this node.
func (n *Node) addr() string { return fmt.Sprintf("%s/p2p/%s", listenOn(n.IP), n.ID()) }

// Live lists the nodes that are up.
func (w *World) Live() []*Node {
	var live []*Node
	for _, n := range w.Nodes {
		if !n.down {
			live = append(live, n)
		}
	}
	return live
}

// AwaitReady waits until every live node is ready, at most a minute.
func (w *World) AwaitReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, n := range w.Live() {
		if err := n.Ready(ctx); err != nil {
			t.Fatalf("node %d: %v", n.Index, err)
		}
	}
}

// Pass lets time pass, and then waits until every node rests.
func (w *World) Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Settle waits until every live node is ready and has found its neighbours:
// the walks that follow a join are over after two minutes.
func (w *World) Settle(t testing.TB) {
	t.Helper()
	w.AwaitReady(t)
	w.Pass(2 * time.Minute)
}

// Kill ends a node as a power cut does: nobody hears of it again, and its
// peers keep connections to nowhere.
func (w *World) Kill(n *Node) {
	w.Net.Silence(n.IP)
	n.down = true
	dying := n.Node
	w.closing.Go(func() { _ = dying.Close() })
}

// Stop closes a node cleanly and waits until it has said goodbye.
func (w *World) Stop(t testing.TB, n *Node) {
	t.Helper()
	n.down = true
	if err := n.Close(); err != nil {
		t.Errorf("close of node %d: %v", n.Index, err)
	}
}

// Restart starts a node again that was killed or stopped, at a new address.
// Without a StateDir in its configuration it comes back as somebody else.
func (w *World) Restart(t testing.TB, n *Node) {
	t.Helper()
	w.closing.Wait()
	n.IP = ipOf(n.Index, int(n.IP.As4()[2])+1)
	n.cfg.Listen = []string{listenOn(n.IP)}
	w.start(t, n)
}

// Move gives a running node another address, as a change of network does: the
// old one is dead at once, with every connection over it.
func (w *World) Move(t testing.TB, n *Node) {
	t.Helper()
	old, net := n.IP, n.Host().Network()
	n.IP = ipOf(n.Index, int(old.As4()[2])+1)
	w.Net.Silence(old)
	if err := net.Listen(ma.StringCast(listenOn(n.IP))); err != nil {
		t.Fatalf("node %d at its new address: %v", n.Index, err)
	}
	type closer interface{ ListenClose(...ma.Multiaddr) }
	net.(closer).ListenClose(ma.StringCast(listenOn(old)))
	for _, c := range net.Conns() {
		_ = c.Close()
	}
}

// Split parts the network between groups of nodes; who is in no group is in
// one with the rest. Net.Heal undoes it.
func (w *World) Split(groups ...[]*Node) {
	var sides [][]netip.Addr
	for _, g := range groups {
		var side []netip.Addr
		for _, n := range g {
			side = append(side, n.IP)
		}
		sides = append(sides, side)
	}
	w.Net.Split(sides...)
}

// close takes everything down. The network falls silent first, so that no node
// spends time on the departure of the others.
func (w *World) close() {
	for _, n := range w.Live() {
		w.Kill(n)
	}
	w.closing.Wait()
	w.Net.close()
}
