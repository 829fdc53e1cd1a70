package config

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Checks of texts that a type does not hold to its form. Each says in plain
// words what is wrong; whoever calls it says where. The words of the libraries
// below help nobody and are left out.

// checkText checks the value of a text.
func checkText(s spec, text string) error {
	if s.oneOf != nil && !slices.Contains(s.oneOf, text) {
		words := strings.Join(slices.DeleteFunc(slices.Clone(s.oneOf), func(w string) bool { return w == "" }), " or ")
		err := wire.Errorf(wire.BadRequest, "%q is not %s", text, words)
		if slices.Contains(s.oneOf, "") {
			words += ", or leave it empty"
		}
		return err.WithNext("write %s", words)
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
		return wire.Errorf(wire.BadRequest, "%.200q is not a transport", text).
			WithNext("name some of %s", strings.Join(node.DefaultTransports(), ", "))
	}
	return nil
}

// checkTogether refuses what is right alone and not together.
func checkTogether(v Values) error {
	var errs []error
	for _, text := range v.Listen {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			continue // told already
		}
		t := string(reach.TransportOf(a))
		if slices.Contains(node.DefaultTransports(), t) && !slices.Contains(v.Transports, t) {
			errs = append(errs, wire.Errorf(wire.BadRequest, "listen: %s is an address of %s, which is not among transports (%s)",
				text, t, strings.Join(v.Transports, ", ")).WithNext("add %s to transports, or take the address out of listen", t))
		}
	}
	return errors.Join(errs...)
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
