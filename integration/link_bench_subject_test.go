//go:build figures

package integration

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// way is how two sides are connected.
type way struct {
	name     string
	listen   []string
	security protocol.ID // of TCP and WebSocket
}

func ways() []way {
	return []way{
		{"tcp_tls", []string{"/ip4/127.0.0.1/tcp/0"}, libp2ptls.ID},
		{"tcp_noise", []string{"/ip4/127.0.0.1/tcp/0"}, noise.ID},
		{"quic", []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, ""},
	}
}

func idleWays() []way {
	return []way{
		{"tcp", []string{"/ip4/127.0.0.1/tcp/0"}, libp2ptls.ID},
		{"ws", []string{"/ip4/127.0.0.1/tcp/0/ws"}, libp2ptls.ID},
		{"quic", []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, ""},
	}
}

// twoWays lets a side be reached by TCP, which its address names, and by QUIC.
func twoWays() way {
	return way{"two", []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, libp2ptls.ID}
}

func wayNamed(name string) (way, error) {
	all := slices.Concat(ways(), idleWays(), []way{twoWays()})
	i := slices.IndexFunc(all, func(w way) bool { return w.name == name })
	if i < 0 {
		return way{}, fmt.Errorf("there is no way %q", name)
	}
	return all[i], nil
}

// stream is a byte stream as both kinds have it.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// opener opens streams to the services of a far side.
type opener interface {
	Open(ctx context.Context, service string) (stream, error)
}

// subject is one side of what is measured: a host that opens and takes streams
// of one kind.
type subject interface {
	// Addr is where it is dialled, with its peer ID.
	Addr() ma.Multiaddr
	// Connect makes the path to the far side that Open uses from then on.
	Connect(ctx context.Context, far ma.Multiaddr) error
	opener
	// Accept serves a service, each stream on a goroutine of its own. The
	// stream is serve's to close, which may return before.
	Accept(service string, serve func(stream))
	Close() error
}

// newSubject starts a side of a kind: "raw" is a libp2p host as it comes,
// "raw-node" one with the node's muxer, "link" a node with links.
func newSubject(kind string, w way) (subject, error) {
	switch kind {
	case "raw":
		return newRaw(w, yamux.DefaultTransport)
	case "raw-node":
		return newRaw(w, muxer.New())
	case "link":
		return newLinked(w)
	}
	return nil, fmt.Errorf("there is no kind %q", kind)
}

// raw is libp2p's own streams.
type raw struct {
	host.Host
	far peer.ID
}

func newRaw(w way, mux network.Multiplexer) (subject, error) {
	h, err := libp2p.New(
		libp2p.ListenAddrStrings(w.listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(websocket.New),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		onlySecurity(w.security),
		libp2p.Muxer(yamux.ID, mux),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return nil, err
	}
	return &raw{Host: h}, nil
}

// onlySecurity leaves one of the security protocols that are configured; ""
// leaves all.
func onlySecurity(id protocol.ID) libp2p.Option {
	return func(c *libp2p.Config) error {
		kept := c.SecurityTransports[:0:0]
		for _, s := range c.SecurityTransports {
			if id == "" || s.ID == id {
				kept = append(kept, s)
			}
		}
		c.SecurityTransports = kept
		return nil
	}
}

func (r *raw) Addr() ma.Multiaddr { return addrOf(r.Host) }

// addrOf is the address of a host, with its ID; that for TCP if it has two.
func addrOf(h host.Host) ma.Multiaddr {
	all := h.Addrs()
	i := max(0, slices.IndexFunc(all, func(a ma.Multiaddr) bool { return reach.TransportOf(a) == reach.TCP }))
	return all[i].Encapsulate(ma.StringCast("/p2p/" + h.ID().String()))
}

func (r *raw) Connect(ctx context.Context, far ma.Multiaddr) error {
	info, err := peer.AddrInfoFromP2pAddr(far)
	if err != nil {
		return err
	}
	r.far = info.ID
	return r.Host.Connect(ctx, *info)
}

func (r *raw) Open(ctx context.Context, service string) (stream, error) {
	return r.NewStream(ctx, r.far, protocol.ID("/"+service))
}

func (r *raw) Accept(service string, serve func(stream)) {
	r.SetStreamHandler(protocol.ID("/"+service), func(s network.Stream) { serve(s) })
}

const patience = 30 * time.Second // for what takes no time

// pair starts a near side of a kind in this process and its far side in
// another, connected. A kind that this build lacks is nil.
func pair(t tester, kind string, w way) subject {
	t.Helper()
	return pairThrough(t, kind, w, func(far ma.Multiaddr) ma.Multiaddr { return far })
}

// pairThrough connects by the address that through makes of the far side's.
func pairThrough(t tester, kind string, w way, through func(ma.Multiaddr) ma.Multiaddr) subject {
	t.Helper()
	near, err := newSubject(kind, w)
	if err == errNoLinks {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := near.Close(); err != nil {
			t.Errorf("close of %s: %v", kind, err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := near.Connect(ctx, through(startFar(t, kind, w))); err != nil {
		t.Fatalf("%s over %s: %v", kind, w.name, err)
	}
	return near
}
