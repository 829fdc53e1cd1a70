package reach_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

const echoID = "/test/echo/1"

// loopback are the listen addresses of every transport that needs no
// certificate.
var loopback = map[reach.Transport]string{
	reach.TCP:          "/ip4/127.0.0.1/tcp/0",
	reach.QUIC:         "/ip4/127.0.0.1/udp/0/quic-v1",
	reach.WS:           "/ip4/127.0.0.1/tcp/0/ws",
	reach.WebTransport: "/ip4/127.0.0.1/udp/0/quic-v1/webtransport",
	reach.WebRTC:       "/ip4/127.0.0.1/udp/0/webrtc-direct",
}

// TestMain finds goroutines that outlive their host. A read deadline that
// libp2p's identify sets on a WebRTC stream is waited for by a goroutine of
// pion's though the stream is gone, for some seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/pion/sctp.(*Stream).SetReadDeadline.func1"))
}

// node is a host with a Reach and an echo service.
type node struct {
	host.Host
	*reach.Reach
}

// newNode starts a node that listens on ts, and stops it with the test.
func newNode(t *testing.T, ts []reach.Transport, opts ...libp2p.Option) node {
	t.Helper()
	var listen []string
	for _, tr := range ts {
		listen = append(listen, loopback[tr])
	}
	listening := libp2p.ListenAddrStrings(listen...)
	if len(ts) == 0 {
		listening = libp2p.ChainOptions(libp2p.NoListenAddrs, libp2p.EnableRelay())
	}
	h, err := libp2p.New(append([]libp2p.Option{
		listening,
		libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableMetrics(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, h, reach.Config{})
}

// attach gives a host its Reach, and closes both with the test.
func attach(t *testing.T, h host.Host, cfg reach.Config) node {
	t.Helper()
	cfg.Host = h
	r, err := reach.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Handle(echoID, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	return node{h, r}
}

// Close is ambiguous in node; nobody calls it.
func (n node) Close() {}

// on lists the node's addresses of one transport.
func (n node) on(ts ...reach.Transport) []ma.Multiaddr {
	var some []ma.Multiaddr
	for _, a := range n.Addrs() {
		for _, t := range ts {
			if reach.TransportOf(a) == t {
				some = append(some, a)
			}
		}
	}
	return some
}

// path gets a path that must come about.
func (n node) path(t *testing.T, w reach.Want) reach.Path {
	t.Helper()
	p, _, err := n.Path(within(t), w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within is a context that no test should need whole.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open opens an echo stream.
func open(t *testing.T, p reach.Path) network.Stream {
	t.Helper()
	s, err := p.OpenStream(within(t), echoID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Reset() })
	if err := s.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return s
}

// say sends text and wants it back.
func say(t *testing.T, s network.Stream, text string) {
	t.Helper()
	if _, err := s.Write([]byte(text)); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(s, back); err != nil {
		t.Fatalf("read %q back: %v", text, err)
	}
	if string(back) != text {
		t.Fatalf("sent %q, got %q", text, back)
	}
}

// contextFor is a context that ends after d.
func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
