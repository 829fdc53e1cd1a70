package node

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// listen listens on every address that cfg asks for, or fails. libp2p itself is
// content when one of several works.
func listen(h host.Host, cfg Config) error {
	if cfg.NoListen {
		return nil
	}
	sw, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return wire.Errorf(wire.Internal, "the host's network is a %T, not a swarm", h.Network())
	}
	addrs, err := parseListen(cfg)
	if err != nil {
		return err
	}
	ports := portsHad{}
	for _, a := range addrs {
		asked := cfg.Listen != nil
		err := listenOn(sw, a, ports)
		if err != nil && !asked && isIPv6(a) {
			cfg.Log.Debug("no IPv6 here", slog.String("address", a.String()), slog.Any("error", err))
			continue
		}
		if err != nil {
			return listenError(a, err)
		}
	}
	return nil
}

// parseListen reads the addresses. Those that share a port come in the order
// in which they can: the plain transport before what stands on it, and
// WebRTC, which takes what QUIC leaves, last.
func parseListen(cfg Config) ([]ma.Multiaddr, error) {
	texts := cfg.Listen
	if texts == nil {
		texts = slices.DeleteFunc(DefaultListen(), func(s string) bool {
			a, err := ma.NewMultiaddr(s)
			return err == nil && !slices.Contains(cfg.Transports, string(reach.TransportOf(a)))
		})
	}
	var addrs []ma.Multiaddr
	for _, s := range texts {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, wire.Errorf(wire.BadRequest, "listen address %q: %w", s, err).
				WithNext("write a multiaddr such as /ip4/0.0.0.0/udp/4001/quic-v1")
		}
		addrs = append(addrs, a)
	}
	order := func(a ma.Multiaddr) int {
		if reach.TransportOf(a) == reach.WebRTC {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int { return order(a) - order(b) })
	return addrs, nil
}

// listenOn listens on one address. An open port becomes the one that an
// earlier address of the same IP was given, which it can share.
func listenOn(sw *swarm.Swarm, a ma.Multiaddr, ports portsHad) error {
	if len(reach.HideAdopted([]ma.Multiaddr{a})) == 0 {
		return swarm.ErrNoTransport // reach's own, where nobody outside can dial
	}
	key, open := portKey(a)
	if open && len(ports[key]) > 0 {
		a = withPort(a, ports[key][0])
	} else if !open && key != "" && !slices.Contains(ports[key], portOf(a)) {
		if err := probeTCP(a); err != nil {
			return err
		}
	}
	before := sw.ListenAddresses()
	if err := sw.AddListenAddr(a); err != nil {
		return err
	}
	for _, got := range sw.ListenAddresses() {
		if k, _ := portKey(got); k == key && key != "" && !slices.ContainsFunc(before, got.Equal) {
			ports[key] = append(ports[key], portOf(got))
		}
	}
	return nil
}

// portsHad are the ports that the node has so far, by portKey.
type portsHad map[string][]string

// probeTCP reports a TCP port that somebody listens on. libp2p would share it
// (SO_REUSEPORT) with another libp2p program of the same user, and each of the
// two would get some of the other's connections.
func probeTCP(a ma.Multiaddr) error {
	network, addr, err := manet.DialArgs(a)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return nil
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// portKey names the IP and transport protocol of a, and tells whether its port
// is left open. Empty for an address of another shape.
func portKey(a ma.Multiaddr) (key string, open bool) {
	if len(a) < 2 {
		return "", false
	}
	port := a[1]
	if p := port.Protocol().Code; p != ma.P_TCP && p != ma.P_UDP {
		return "", false
	}
	return a[0].String() + " " + port.Protocol().Name, port.Value() == "0"
}

func portOf(a ma.Multiaddr) string { return a[1].Value() }

// withPort replaces the port of an address that has a portKey.
func withPort(a ma.Multiaddr, port string) ma.Multiaddr {
	c, err := ma.NewComponent(a[1].Protocol().Name, port)
	if err != nil {
		return a
	}
	b := slices.Clone(a)
	b[1] = *c
	return b
}

func isIPv6(a ma.Multiaddr) bool {
	return len(a) > 0 && a[0].Protocol().Code == ma.P_IP6
}

// listenError says why an address cannot be had and what to do.
func listenError(a ma.Multiaddr, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return wire.Errorf(wire.Taken, "cannot listen on %s: the port is in use: %w", a, err).
			WithNext("stop the program that has it, or listen on another port (0 takes a free one)")
	case errors.Is(err, fs.ErrPermission):
		return wire.Errorf(wire.Forbidden, "cannot listen on %s: %w", a, err).
			WithNext("choose a port above 1023")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return wire.Errorf(wire.BadRequest, "cannot listen on %s: this machine does not have the address: %w", a, err).
			WithNext("use one of its own addresses, or /ip4/0.0.0.0 for all of them")
	case errors.Is(err, swarm.ErrNoTransport):
		return wire.Errorf(wire.Unsupported, "cannot listen on %s: no transport of this node does: %w", a, err).
			WithNext("add its transport to transports, or take the address out of listen; /ip4/0.0.0.0/udp/4001/quic-v1 is how one is written")
	}
	return wire.Errorf(wire.Internal, "cannot listen on %s: %w", a, err)
}
