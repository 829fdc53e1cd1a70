package gateway

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// TestMain finds goroutines that outlive their gateway.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a small overlay on loopback, in which everybody knows everybody.
type world struct {
	t    testing.TB
	host func() []libp2p.Option // where the next node is; nil: on loopback

	mu    sync.Mutex
	nodes []*node
}

// node is a gateway on a host of its own, and what is below it.
type node struct {
	*Gateway
	w      *world
	host   host.Host
	reach  *reach.Reach
	links  *link.Links
	trunks *trunk.Trunks
	pipes  *pipe.Service
	rules  *ruleStore
	heard  *heard
	blamed blame // peers that have broken the rules of links
	stop   func()
}

// newWorld runs count nodes until the end of the test.
func newWorld(t testing.TB, count int) (*world, []*node) {
	t.Helper()
	w := &world{t: t}
	for range count {
		w.add()
	}
	return w, w.nodes
}

// add starts a node.
func (w *world) add(change ...func(*Config)) *node {
	w.t.Helper()
	return w.start(newKey(w.t), newMemory(), &ruleStore{}, change...)
}

func (w *world) start(key crypto.PrivKey, pipes pipe.Store, rules *ruleStore, change ...func(*Config)) *node {
	w.t.Helper()
	n := &node{w: w, rules: rules, heard: newHeard()}
	var err error
	at := []libp2p.Option{libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")}
	if w.host != nil {
		at = w.host()
	}
	n.host, err = libp2p.New(append(at,
		libp2p.Identity(key), libp2p.AddrsFactory(reach.HideAdopted), libp2p.DisableMetrics(),
		libp2p.Muxer(yamux.ID, muxer.New()),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	)...)
	must(w.t, err)
	n.reach, err = reach.New(reach.Config{Host: n.host})
	must(w.t, err)
	n.links = link.New(link.Config{
		Self: n.host.ID(), Trunks: later{n}, Grace: 30 * time.Second,
		Redial:  func(ctx context.Context, to link.Route) (reach.Path, error) { return n.pipes.Redial(ctx, to) },
		Hostile: n.blamed.add,
	})
	n.trunks, err = trunk.New(trunk.Config{Self: n.host.ID(), Overlay: "test", Reach: n.reach, Accept: n.links.Accept})
	must(w.t, err)
	n.pipes, err = pipe.New(pipe.Config{
		Links: n.links, Overlay: "test", Key: key, Reach: n.reach, Store: pipes,
		Router: &mesh{w, n.host.ID()}, Endpoints: n.host.Addrs,
		Limits: pipe.ServiceLimits{Conns: 32768, RequestRate: 1e6, RequestBurst: 1e6},
	})
	must(w.t, err)
	n.run(change)
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	return n
}

// run sets the pipes going, with a gateway on them.
func (n *node) run(change []func(*Config)) {
	t := n.w.t
	sub, err := n.host.EventBus().Subscribe(new(event.EvtLocalProtocolsUpdated))
	must(t, err)
	ran := make(chan error, 1)
	go func() { ran <- n.pipes.Run(context.Background()) }()
	for e := range sub.Out() {
		if slices.Contains(e.(event.EvtLocalProtocolsUpdated).Added, pipe.ConnProtocol("test")) {
			break
		}
	}
	must(t, sub.Close())
	cfg := Config{Pipes: n.pipes, Store: n.rules, Trace: n.heard.trace}
	for _, c := range change {
		c(&cfg)
	}
	n.Gateway, err = New(cfg)
	must(t, err)
	must(t, n.Start(t.Context()))
	n.stop = sync.OnceFunc(func() {
		must(t, n.Gateway.Close())
		must(t, n.pipes.Close())
		must(t, <-ran)
		_ = n.links.Close()
		_ = n.trunks.Close()
		_ = n.reach.Close()
		_ = n.host.Close()
		n.w.remove(n)
	})
	t.Cleanup(n.stop)
}

func (w *world) remove(n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = slices.DeleteFunc(slices.Clone(w.nodes), func(o *node) bool { return o == n })
}

func (n *node) id() peer.ID { return n.host.ID() }

// principal is the node's, as text.
func (n *node) principal() string { return identity.PeerPrincipal(n.id()).String() }

// cut ends the connections between two nodes.
func (n *node) cut(o *node) { _ = n.host.Network().ClosePeer(o.id()) }

// later is the trunk of a node, which its links are made before.
type later struct{ n *node }

func (l later) Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error) {
	return l.n.trunks.Attach(ctx, p, o, own)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// blame counts breaches of the rules by the peer that is guilty.
type blame struct {
	mu sync.Mutex
	by map[peer.ID]int
}

func (b *blame) add(p peer.ID, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = make(map[peer.ID]int)
	}
	b.by[p]++
}

func (b *blame) of(p peer.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[p]
}

// heard is what a gateway has told of.
type heard struct {
	mu     sync.Mutex
	events []Event
	more   chan struct{}
}

func newHeard() *heard { return &heard{more: make(chan struct{})} }

func (h *heard) trace(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	close(h.more)
	h.more = make(chan struct{})
}

// await waits until count events are such that is holds.
func (h *heard) await(t testing.TB, count int, is func(Event) bool) []Event {
	t.Helper()
	late := time.After(time.Minute)
	for {
		var got []Event
		h.mu.Lock()
		for _, e := range h.events {
			if is(e) {
				got = append(got, e)
			}
		}
		more := h.more
		h.mu.Unlock()
		if len(got) >= count {
			return got
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%d such events, want %d, of %v", len(got), count, h.events)
		}
	}
}

// kind is for await.
func kind(k EventKind) func(Event) bool { return func(e Event) bool { return e.Kind == k } }

func newKey(t testing.TB) crypto.PrivKey {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	return key
}

// keeperOf is what a forward rule dials by.
func (n *node) keeperOf(t testing.TB, addr string) *pipe.Keeper {
	t.Helper()
	e, err := n.find(addr)
	must(t, err)
	e.turn.Lock()
	defer e.turn.Unlock()
	return e.run.(*listening).to.Load().keeper
}

// forget forgets what was heard.
func (h *heard) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = nil
}
