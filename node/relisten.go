package node

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Relisten has the node listen on these addresses instead of those it has, and
// returns what it listens on then. They are written as in Config.Listen; an open
// port is a new one, and what is listened on already stays. Connections from and to
// a port that is given up are closed: what are links goes on over others.
// On an error nothing has changed.
//
// Errors: BadRequest, Unsupported, Taken and Forbidden for an address that cannot
// be had.
func (n *Node) Relisten(addrs []string) ([]ma.Multiaddr, error) {
	if len(addrs) == 0 {
		return nil, wire.Errorf(wire.BadRequest, "there is no address to listen on").
			WithNext("name one such as /ip4/0.0.0.0/udp/4001/quic-v1")
	}
	sw, ok := n.host.Network().(*swarm.Swarm)
	if !ok {
		return nil, wire.Errorf(wire.Internal, "the host's network is a %T, not a swarm", n.host.Network())
	}
	cfg := n.cfg
	cfg.Listen = addrs
	wanted, err := parseListen(cfg)
	if err != nil {
		return nil, err
	}
	n.relisten.Lock()
	defer n.relisten.Unlock()
	before := ported(sw)
	kept, missing := sortOut(before, wanted)
	if err := listenOnAll(sw, kept, missing); err != nil {
		sw.ListenClose(without(ported(sw), before)...)
		return nil, err
	}
	gone := without(before, kept)
	n.givenUp.add(sw, gone)
	sw.ListenClose(gone...)
	n.place.moved(n.host, nil)
	now := ported(sw)
	leave(sw.Conns(), now, gone)
	return now, nil
}

// ported are the addresses listened on that have a port: neither circuits nor
// reach's own.
func ported(sw network.Network) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(sw.ListenAddresses()), func(a ma.Multiaddr) bool {
		key, _ := portKey(a)
		return key == ""
	})
}

// sortOut tells which of the addresses that are listened on are wanted still,
// and which ones that are wanted are missing.
func sortOut(before, wanted []ma.Multiaddr) (kept, missing []ma.Multiaddr) {
	for _, w := range wanted {
		i := slices.IndexFunc(before, func(b ma.Multiaddr) bool { return begins(b, w) })
		if i < 0 {
			missing = append(missing, w)
		} else {
			kept = append(kept, before[i])
		}
	}
	return kept, missing
}

func listenOnAll(sw *swarm.Swarm, kept, missing []ma.Multiaddr) error {
	ports := portsHad{}
	for _, a := range kept {
		if key, _ := portKey(a); key != "" {
			ports[key] = append(ports[key], portOf(a))
		}
	}
	for _, a := range missing {
		at, err := withFreePort(a, ports)
		if err == nil {
			err = listenOn(sw, at, ports)
		}
		if err != nil {
			return listenError(a, err)
		}
	}
	return nil
}

// withFreePort gives an open port a number, unless one is there to be shared.
// Left open, go-libp2p (its packages tcpreuse and libp2pquic) would take the
// listener that it gave for an open port before, as long as there is one.
func withFreePort(a ma.Multiaddr, ports portsHad) (ma.Multiaddr, error) {
	key, open := portKey(a)
	if !open || len(ports[key]) > 0 {
		return a, nil
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(ip.String(), "0")
	var at net.Addr
	var held io.Closer
	if a[1].Protocol().Code == ma.P_TCP {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		at, held = l.Addr(), l
	} else {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return nil, err
		}
		at, held = c.LocalAddr(), c
	}
	_, port, err := net.SplitHostPort(at.String())
	return withPort(a, port), errors.Join(err, held.Close())
}

// without is all that is not in some.
func without(all, some []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(all), func(a ma.Multiaddr) bool { return slices.ContainsFunc(some, a.Equal) })
}

// leave closes the connections from and to ports where nobody listens any more.
func leave(conns []network.Conn, now, gone []ma.Multiaddr) {
	for _, c := range conns {
		if isAt(c.LocalMultiaddr(), gone) && !isAt(c.LocalMultiaddr(), now) {
			_ = c.Close()
		}
	}
}

// isAt reports that an address has the port of one of others.
func isAt(a ma.Multiaddr, others []ma.Multiaddr) bool {
	return slices.ContainsFunc(others, func(o ma.Multiaddr) bool { return samePort(a, o) })
}

// givenUpMost is how many ports that were given up are remembered.
const givenUpMost = 64

// givenUp are the ports that were given up last. A connection that was on its way
// in when its listener was closed turns up after that, and stays as long as its
// far side likes: it is closed then.
type givenUp struct {
	mu    sync.Mutex
	ports []ma.Multiaddr
	once  sync.Once // looks at new connections
}

func (g *givenUp) add(net network.Network, gone []ma.Multiaddr) {
	g.mu.Lock()
	g.ports = append(g.ports, gone...)
	g.ports = g.ports[max(0, len(g.ports)-givenUpMost):]
	g.mu.Unlock()
	g.once.Do(func() {
		net.Notify(&network.NotifyBundle{ConnectedF: func(net network.Network, c network.Conn) {
			if g.late(c.Stat().Direction, c.LocalMultiaddr(), ported(net)) {
				go c.Close() // which may wait for this call to return
			}
		}})
	})
}

// late reports that a connection has come in at a port that was given up.
func (g *givenUp) late(d network.Direction, at ma.Multiaddr, now []ma.Multiaddr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return d == network.DirInbound && isAt(at, g.ports) && !isAt(at, now)
}

// samePort reports that two addresses have the same port of TCP or UDP.
func samePort(a, b ma.Multiaddr) bool {
	keyA, _ := portKey(a)
	keyB, _ := portKey(b)
	return keyA != "" && keyB != "" && a[1].Equal(&b[1])
}
