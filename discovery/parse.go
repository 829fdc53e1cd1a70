package discovery

import (
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ParseJoin reads what a person gives to join through: a multiaddr that ends
// in /p2p/<peer ID>, or a ticket of this overlay. Errors are BadRequest and say
// what is expected.
func ParseJoin(s, overlay string) ([]peer.AddrInfo, error) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "/") {
		return parseJoinTicket(s, overlay)
	}
	in, err := peer.AddrInfoFromString(s)
	switch {
	case err != nil:
		return nil, wire.Errorf(wire.BadRequest, "join address %q: %w", s, err).
			WithNext("give an address that ends in /p2p/<peer ID>, as `panpipe id` prints it, or a ticket")
	case len(in.Addrs) == 0:
		return nil, wire.Errorf(wire.BadRequest, "join address %q says who but not where", s).
			WithNext("put the transport address before /p2p, as in /ip4/192.0.2.1/tcp/4001/p2p/<peer ID>")
	}
	return []peer.AddrInfo{*in}, nil
}

func parseJoinTicket(s, overlay string) ([]peer.AddrInfo, error) {
	t, err := identity.ParseTicket(s)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "join: %w", err).
			WithNext("give a multiaddr that ends in /p2p/<peer ID>, or a ticket as `panpipe ticket` prints it")
	}
	if t.Overlay != overlay {
		return nil, wire.Errorf(wire.BadRequest, "join: the ticket is for overlay %q, this node is in overlay %q", t.Overlay, overlay).
			WithNext("start this node with overlay = %q, or get a ticket of overlay %q", t.Overlay, overlay)
	}
	return t.Peers, nil
}
