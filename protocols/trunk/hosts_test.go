package trunk_test

import (
	"context"
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
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

const (
	overlay             = "test"
	kindData trunk.Kind = 16
)

// TestMain finds goroutines that outlive their trunks and hosts.
// A read deadline that libp2p's identify sets on a WebRTC stream is waited for by
// a goroutine of pion's though the stream is gone, for some seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/pion/sctp.(*Stream).SetReadDeadline.func1"))
}

// node is a host with its paths and trunks.
type node struct {
	host   host.Host
	reach  *reach.Reach
	trunks *trunk.Trunks
}

// loopback are hosts' options by name: a transport, and what secures it.
var loopback = map[string][]libp2p.Option{
	"tcp-tls":      {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Security(libp2ptls.ID, libp2ptls.New)},
	"tcp-noise":    {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Security(noise.ID, noise.New)},
	"quic":         {libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1")},
	"webtransport": {libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1/webtransport")},
	"webrtc":       {libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/webrtc-direct")},
	"ws":           {libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0/ws")},
}

// newNode starts a node, and stops it with the test.
func newNode(t testing.TB, cfg trunk.Config, opts ...libp2p.Option) node {
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
	cfg.Self, cfg.Overlay = h.ID(), overlay
	if cfg.Reach == nil {
		cfg.Reach = r
	}
	tr, err := trunk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []interface{ Close() error }{tr, r, h} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return node{h, r, tr}
}

// path connects a to b.
func path(t testing.TB, a, b node) reach.Path {
	t.Helper()
	p, _, err := a.reach.Path(within(t), reach.Want{Peer: b.host.ID(), Addrs: b.host.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attach makes a leg that must come about.
func attach(t testing.TB, a node, p reach.Path, o trunk.Owner, own bool) *trunk.Leg {
	t.Helper()
	l, err := a.trunks.Attach(within(t), p, o, own)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// within is a context that no test should need whole.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
