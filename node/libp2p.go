package node

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	libp2pwebrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	libp2pwebtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/node/records"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// punchTimeout ends one dial of a hole punch, and the ordinary dial before the
// first: reach waits for the outcome, go-libp2p's own 10 s are too long for it.
const punchTimeout = 3 * time.Second

// fixedOptions are those that no setting changes.
func fixedOptions(parts hostParts) []libp2p.Option {
	return []libp2p.Option{
		libp2p.Identity(parts.key),
		libp2p.UserAgent(userAgent),
		libp2p.PrometheusRegisterer(parts.reg),
		libp2p.Security(libp2ptls.ID, records.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, muxer.New()),
		libp2p.ShareTCPListener(),
		libp2p.WithDialTimeout(dialTimeout),
	}
}

// hideAdopted keeps the private address of reach out of whatever addresses an
// embedder's factory gives.
func hideAdopted(c *libp2p.Config) error {
	factory := c.AddrsFactory
	if factory == nil {
		factory = func(addrs []ma.Multiaddr) []ma.Multiaddr { return addrs }
	}
	c.AddrsFactory = func(addrs []ma.Multiaddr) []ma.Multiaddr { return reach.HideAdopted(factory(addrs)) }
	return nil
}

// transportOptions makes the transports by name.
func transportOptions(names []string) []libp2p.Option {
	byName := map[reach.Transport]libp2p.Option{
		reach.TCP:          libp2p.Transport(tcp.NewTCPTransport, tcp.WithMetrics()),
		reach.QUIC:         libp2p.Transport(libp2pquic.NewTransport),
		reach.WS:           libp2p.Transport(websocket.New),
		reach.WebTransport: libp2p.Transport(libp2pwebtransport.New),
		reach.WebRTC:       libp2p.Transport(libp2pwebrtc.New),
		reach.Relay:        libp2p.EnableRelay(),
	}
	var opts []libp2p.Option
	for _, name := range names {
		opts = append(opts, byName[reach.Transport(name)])
	}
	if !slices.Contains(names, string(reach.Relay)) {
		opts = append(opts, libp2p.DisableRelay())
	}
	return opts
}

// natOptions find out how the node is reached. AutoNAT v1 is given a fixed
// answer, so that it stays silent: discovery computes reachability and emits
// it, on AutoNAT v2's evidence.
func natOptions(cfg Config, parts hostParts) []libp2p.Option {
	opts := []libp2p.Option{
		libp2p.EnableAutoNATv2(),
		func(c *libp2p.Config) error {
			unknown := network.ReachabilityUnknown
			c.ForceReachability = &unknown
			return nil
		},
	}
	if slices.Contains(cfg.Transports, string(reach.Relay)) {
		metrics := holepunch.NewMetricsTracer(holepunch.WithRegisterer(parts.reg))
		opts = append(opts, libp2p.EnableHolePunching(
			holepunch.WithMetricsAndEventTracer(metrics, parts.punches), holepunch.DirectDialTimeout(punchTimeout),
			parts.punches.Option()))
	}
	if !cfg.DisablePortMapping && !cfg.NoListen {
		opts = append(opts, libp2p.NATManager(func(net network.Network) basichost.NATManager {
			m := newPortMapper(net)
			parts.mapper(m)
			return m
		}))
	}
	return opts
}

// relayInterval is how often AutoRelay may ask for candidates while it lacks a
// relay. They come from memory, so it need not wait long.
const relayInterval = 2 * time.Second

// relayOptions let the node use relays when it is private, and be one when it
// is asked to and reachable.
func relayOptions(cfg Config, candidates autorelay.PeerSource) []libp2p.Option {
	if !slices.Contains(cfg.Transports, string(reach.Relay)) {
		return nil
	}
	opts := []libp2p.Option{libp2p.EnableAutoRelayWithPeerSource(candidates,
		autorelay.WithBootDelay(0), autorelay.WithMinCandidates(1),
		autorelay.WithMinInterval(relayInterval), autorelay.WithBackoff(time.Minute))}
	if cfg.Relay.Serve {
		opts = append(opts, libp2p.EnableRelayService(
			relay.WithResources(cfg.Relay.resources()),
			// An overlay on a LAN has private addresses alone.
			relay.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true })))
	}
	return opts
}

// resources are the relay's limits in libp2p's terms.
func (r Relay) resources() relay.Resources {
	rc := relay.DefaultResources()
	rc.Limit = &relay.RelayLimit{Duration: r.MaxDuration, Data: r.MaxData}
	rc.MaxCircuits = r.MaxCircuits
	rc.MaxReservations = r.Reservations
	rc.MaxReservationsPerIP = max(1, r.Reservations/2)
	rc.MaxReservationsPerASN = r.Reservations
	rc.BufferSize = 16 << 10
	return rc
}

// relaySource offers AutoRelay the servers that pick names, as it asks.
func relaySource(pick func(n int) []peer.AddrInfo) autorelay.PeerSource {
	return func(_ context.Context, n int) <-chan peer.AddrInfo {
		found := pick(n)
		ch := make(chan peer.AddrInfo, len(found))
		for _, p := range found {
			ch <- p
		}
		close(ch)
		return ch
	}
}
