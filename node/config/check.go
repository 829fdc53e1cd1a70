package config

import (
	"net"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Checks of texts that a type does not hold to its form. Each says in plain
// words what is wrong; whoever calls it says where. The words of the libraries
// below help nobody and are left out.

// checkText checks the value of a text.
func checkText(s spec, text string) error {
	if s.oneOf != nil && !slices.Contains(s.oneOf, text) {
		return wire.Errorf(wire.BadRequest, "%q is none of %q", text, s.oneOf)
	}
	if s.check != nil {
		return s.check(text)
	}
	return nil
}

func checkJoin(text string) error {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "/") {
		_, err := identity.ParseTicket(text)
		return err
	}
	if a, err := ma.NewMultiaddr(text); err == nil {
		if _, err := peer.AddrInfoFromP2pAddr(a); err == nil {
			return nil
		}
	}
	return wire.Errorf(wire.BadRequest, "%.200q is not a multiaddr that ends in /p2p/PEER", text).
		WithNext("take one from panpipe id on a node of the overlay, or a ticket from panpipe ticket")
}

func checkListen(text string) error {
	if _, err := ma.NewMultiaddr(text); err != nil {
		return wire.Errorf(wire.BadRequest, "%.200q is not a multiaddr", text).
			WithNext("write one such as /ip4/0.0.0.0/udp/4001/quic-v1")
	}
	return nil
}

func checkTransport(text string) error {
	if !slices.Contains(node.DefaultTransports(), text) {
		return wire.Errorf(wire.BadRequest, "%.200q is none of %q", text, node.DefaultTransports())
	}
	return nil
}

// checkLoopback takes host:port of a loopback address, or nothing.
func checkLoopback(text string) error {
	if text == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	ip := net.ParseIP(host)
	if err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		_, err = net.LookupPort("tcp", port)
		if err == nil {
			return nil
		}
	}
	return wire.Errorf(wire.BadRequest, "%.200q is not host:port of a loopback address", text).
		WithNext("use 127.0.0.1:PORT or [::1]:PORT")
}
