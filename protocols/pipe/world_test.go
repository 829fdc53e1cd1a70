package pipe

import (
	"context"
	"crypto/rand"
	"io"
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
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// TestMain finds goroutines that outlive their service. A read deadline on a
// WebRTC stream is waited for by a goroutine of pion's though the stream is
// gone, for some seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/pion/sctp.(*Stream).SetReadDeadline.func1"))
}

// world is a small overlay in which everybody knows everybody.
type world struct {
	t     testing.TB
	hosts func(key crypto.PrivKey) host.Host

	mu    sync.Mutex
	nodes []*node
}

// node is one Service on a host of its own.
type node struct {
	*Service
	host    host.Host
	links   *link.Links
	trunks  *trunk.Trunks
	world   *world
	key     crypto.PrivKey
	memory  *memory
	changed chan struct{} // AddrsChanged
	tally   *tally
	gone    sync.Once
	stop    func()

	mu    sync.Mutex
	addrs []ma.Multiaddr // announced instead of the host's
}

// loopback makes a world of hosts on loopback, n nodes in it.
func loopback(t testing.TB, n int, listen ...string) (*world, []*node) {
	t.Helper()
	if len(listen) == 0 {
		listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	}
	w := &world{t: t, hosts: func(key crypto.PrivKey) host.Host {
		h, err := libp2p.New(
			libp2p.Identity(key), libp2p.ListenAddrStrings(listen...), libp2p.AddrsFactory(reach.HideAdopted),
			libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics(),
			libp2p.Muxer(yamux.ID, muxer.New()),
		)
		must(t, err)
		return h
	}}
	for range n {
		w.add()
	}
	return w, w.nodes
}

// add starts a node, and stops it with the test.
func (w *world) add(change ...func(*Config)) *node {
	w.t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(w.t, err)
	return w.start(key, newMemory(), change...)
}

func (w *world) start(key crypto.PrivKey, memory *memory, change ...func(*Config)) *node {
	w.t.Helper()
	n := &node{
		host: w.hosts(key), world: w, key: key, memory: memory, changed: make(chan struct{}, 1), tally: &tally{},
	}
	r, err := reach.New(reach.Config{Host: n.host})
	must(w.t, err)
	n.links = link.New(link.Config{
		Self: n.host.ID(), Trunks: later{n}, Grace: 30 * time.Second,
		Redial: func(ctx context.Context, to link.Route) (reach.Path, error) { return n.Redial(ctx, to) },
	})
	n.trunks, err = trunk.New(trunk.Config{Self: n.host.ID(), Overlay: "test", Reach: r, Accept: n.links.Accept})
	must(w.t, err)
	cfg := Config{
		Links: n.links, Overlay: "test", Key: key, Reach: r, Router: &mesh{world: w, self: n.host.ID()}, Store: memory,
		Endpoints: n.endpoints, AddrsChanged: n.changed, Tracer: n.tally,
	}
	for _, c := range change {
		c(&cfg)
	}
	n.Service, err = New(cfg)
	must(w.t, err)
	if cfg.Links == nil {
		n.trunks.Close() // a node of old, which speaks no trunk
	}
	serving := n.whenServing()
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	n.stop = func() {
		n.gone.Do(func() {
			n.Close()
			must(w.t, <-ran)
			n.links.Close()
			n.trunks.Close()
			r.Close()
			n.host.Close()
			w.remove(n)
		})
	}
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	w.t.Cleanup(n.stop)
	serving()
	return n
}

// whenServing returns a function that waits until Run serves.
func (n *node) whenServing() func() {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtLocalProtocolsUpdated))
	must(n.world.t, err)
	return func() {
		defer sub.Close()
		for e := range sub.Out() {
			if slices.Contains(e.(event.EvtLocalProtocolsUpdated).Added, ConnProtocol("test")) {
				return
			}
		}
	}
}

// crash makes the node vanish without a word, and keeps it among those that
// others believe to be there.
func (n *node) crash() {
	n.gone.Do(func() {
		n.host.Close()
		n.cfg.Router.(*mesh).cut()
		n.Close()
		n.links.Close()
		n.trunks.Close()
		n.cfg.Reach.Close()
	})
}

func (n *node) endpoints() []ma.Multiaddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addrs != nil {
		return n.addrs
	}
	return n.host.Addrs()
}

func (n *node) move(addrs ...ma.Multiaddr) {
	n.mu.Lock()
	n.addrs = addrs
	n.mu.Unlock()
	n.changed <- struct{}{}
}

func (n *node) id() peer.ID                   { return n.host.ID() }
func (n *node) principal() identity.Principal { return identity.PeerPrincipal(n.host.ID()) }

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()} }

func (w *world) remove(n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = slices.DeleteFunc(slices.Clone(w.nodes), func(o *node) bool { return o == n })
}

// within is a context that ends long after everything should be over.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// create makes a pipe owned by n.
func (n *node) create(t testing.TB, o CreateOptions) ID {
	t.Helper()
	p, err := n.Create(within(t), identity.NewNonce().String(), o)
	must(t, err)
	return p.ID
}

// listen binds a pipe, and closes the listener with the test.
func (n *node) listen(t testing.TB, id ID, o ListenOptions) *Listener {
	t.Helper()
	l, err := n.Listen(within(t), id, o)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// echo answers every connection of a listener with what it says.
func echo(l *Listener) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
}

// say dials and wants its words back.
func (n *node) say(t testing.TB, id ID, o DialOptions) *Conn {
	t.Helper()
	c, err := n.Dial(within(t), id, o)
	must(t, err)
	t.Cleanup(c.Reset)
	converse(t, c)
	return c
}

// opened dials, and tells what the far side says to it.
func (n *node) opened(t testing.TB, id ID, o DialOptions) error {
	t.Helper()
	c, err := n.Dial(within(t), id, o)
	if err != nil {
		return err
	}
	t.Cleanup(c.Reset)
	return c.Opened(within(t))
}

func converse(t testing.TB, c *Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(time.Minute))
	const words = "who is there?"
	_, err := io.WriteString(c, words)
	must(t, err)
	got := make([]byte, len(words))
	_, err = io.ReadFull(c, got)
	must(t, err)
	if string(got) != words {
		t.Fatalf("heard %q, said %q", got, words)
	}
}

// later is the trunk of a node, which its links are made before.
type later struct{ n *node }

func (l later) Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error) {
	return l.n.trunks.Attach(ctx, p, o, own)
}
