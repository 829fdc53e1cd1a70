package link_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// TestMain finds goroutines that outlive their links and hosts.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback are hosts' options by name: a transport, and what secures it.
var loopback = map[string][]libp2p.Option{
	"tcp-tls":   {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Security(libp2ptls.ID, libp2ptls.New)},
	"tcp-noise": {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Security(noise.ID, noise.New)},
	"quic":      {libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1")},
	"ws":        {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0/ws")},
}

// node is a host with its paths, trunks and links.
type node struct {
	host   host.Host
	reach  *reach.Reach
	trunks *trunk.Trunks
	links  *link.Links
}

// Attach gives links the trunks, which are made after them.
func (n *node) Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error) {
	return n.trunks.Attach(ctx, p, o, own)
}

// newNode starts a node, and stops it with the test.
func newNode(t testing.TB, cfg link.Config, opts ...libp2p.Option) *node {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableMetrics(),
		libp2p.Muxer(yamux.ID, muxer.New()),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := reach.New(reach.Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{host: h, reach: r}
	cfg.Self, cfg.Trunks = h.ID(), n
	if cfg.Redial == nil {
		cfg.Redial = func(ctx context.Context, to link.Route) (reach.Path, error) {
			p, _, err := r.Path(ctx, reach.Want{Peer: to.Peer})
			return p, err
		}
	}
	n.links = link.New(cfg)
	if n.trunks, err = trunk.New(trunk.Config{Self: h.ID(), Overlay: "test", Reach: r, Accept: n.links.Accept}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	_ = n.links.Close()
	_ = n.trunks.Close()
	_ = n.reach.Close()
	_ = n.host.Close()
}

// path connects a to b.
func path(t testing.TB, a, b *node, transport reach.Transport) reach.Path {
	t.Helper()
	p, _, err := a.reach.Path(within(t), reach.Want{Peer: b.host.ID(), Addrs: b.host.Addrs(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within is a context that no test should need whole.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// serve hands out the links that come to a node.
func serve(n *node) <-chan *link.Link {
	came := make(chan *link.Link, 64)
	n.links.Handle("test", func(l *link.Link) { came <- l })
	return came
}

// open opens a link and returns both ends.
func open(t testing.TB, a *node, p reach.Path, came <-chan *link.Link) (near, far *link.Link) {
	t.Helper()
	near, err := a.links.Open(within(t), p, link.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case far = <-came:
	case <-within(t).Done():
		t.Fatal("the link did not arrive")
	}
	return near, far
}

// must ends the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reads wants words from a link.
func reads(t testing.TB, l *link.Link, want string) {
	t.Helper()
	got := make([]byte, len(want))
	must(t, l.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err := io.ReadFull(l, got)
	must(t, err)
	must(t, l.SetReadDeadline(time.Time{}))
	if string(got) != want {
		t.Fatalf("read %q, want %q", got, want)
	}
}
