package world

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// Packet is one UDP datagram on its way, as a Drop closure sees it.
type Packet struct {
	From, To netip.Addr
	// Data is the payload; it must be neither kept nor changed.
	Data []byte
}

// Network is the wire between the nodes: IPv4 UDP with latency and bandwidth.
// It knows addresses only; what runs behind one is no concern of its own.
type Network struct {
	sim  *simnet.Simnet
	link simnet.NodeBiDiLinkSettings

	mu        sync.RWMutex
	endpoints map[netip.AddrPort]bool
	// dead addresses neither send nor receive, packets in flight included.
	dead map[netip.Addr]bool
	// side is the part of a split network that an address belongs to; empty
	// while the network is whole.
	side    map[netip.Addr]int
	drop    func(Packet) bool
	latency func(from, to netip.Addr) time.Duration
}

// newNetwork starts a network whose packets take oneWay each, whose nodes send
// and receive at bitsPerSecond. It must be called inside a synctest bubble.
func newNetwork(oneWay time.Duration, bitsPerSecond int) *Network {
	link := simnet.LinkSettings{BitsPerSecond: bitsPerSecond}
	n := &Network{
		link:      simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link},
		endpoints: make(map[netip.AddrPort]bool),
		dead:      make(map[netip.Addr]bool),
		latency:   func(_, _ netip.Addr) time.Duration { return oneWay },
	}
	n.sim = &simnet.Simnet{
		Logger: slog.New(slog.DiscardHandler),
		LatencyFunc: func(p *simnet.Packet) time.Duration {
			n.mu.RLock()
			defer n.mu.RUnlock()
			return n.latency(addrOf(p.From), addrOf(p.To))
		},
	}
	n.sim.Start()
	return n
}

// close ends every endpoint. Nodes must have been closed before.
func (n *Network) close() { n.sim.Close() }

// SetLatency makes every packet take what oneWay says of its ends.
func (n *Network) SetLatency(oneWay func(from, to netip.Addr) time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latency = oneWay
}

// SetDrop loses every packet for which drop says so; nil loses none. The
// closure runs on the sender's goroutine and must not block.
func (n *Network) SetDrop(drop func(Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop = drop
}

// Silence cuts an address off as by power cut: nothing from it or to it
// arrives any more, not even what is on its way.
func (n *Network) Silence(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[a] = true
}

// Split parts the network: packets pass only between addresses of the same
// group. Addresses in no group form one of their own.
func (n *Network) Split(groups ...[]netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.side = make(map[netip.Addr]int)
	for i, g := range groups {
		for _, a := range g {
			n.side[a] = i + 1
		}
	}
}

// Heal undoes Split.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.side = nil
}

// passes reports whether the wire between two addresses is whole.
func (n *Network) passes(from, to netip.Addr) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return !n.dead[from] && !n.dead[to] && n.side[from] == n.side[to]
}

// lost reports whether a packet is lost at its sender.
func (n *Network) lost(p Packet) bool {
	n.mu.RLock()
	drop := n.drop
	n.mu.RUnlock()
	return !n.passes(p.From, p.To) || drop != nil && drop(p)
}

// listen opens a UDP endpoint. The address must be a concrete one, since there
// are no interfaces here to enumerate.
func (n *Network) listen(at *net.UDPAddr) (net.PacketConn, error) {
	ap := netip.AddrPortFrom(addrOf(at), uint16(at.Port))
	if ap.Addr().IsUnspecified() || ap.Port() == 0 {
		return nil, fmt.Errorf("virtual network: cannot listen on %v: name an address and a port", at)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoints[ap] {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: at, Err: fmt.Errorf("address already in use")}
	}
	n.endpoints[ap] = true
	return &endpoint{SimConn: n.sim.NewEndpoint(at, n.link), net: n, at: ap}, nil
}

// endpoint is a UDP socket whose packets pass only where the network is whole.
type endpoint struct {
	*simnet.SimConn
	net  *Network
	at   netip.AddrPort
	once sync.Once
}

// WriteTo sends, or pretends to, as UDP does.
func (e *endpoint) WriteTo(b []byte, to net.Addr) (int, error) {
	if e.net.lost(Packet{From: e.at.Addr(), To: addrOf(to), Data: b}) {
		return len(b), nil
	}
	return e.SimConn.WriteTo(b, to)
}

// ReadFrom looks at the network again, so that a power cut takes what was in
// flight.
func (e *endpoint) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c, from, err := e.SimConn.ReadFrom(b)
		if err != nil || e.net.passes(addrOf(from), e.at.Addr()) {
			return c, from, err
		}
	}
}

// Close frees the address.
func (e *endpoint) Close() error {
	e.once.Do(func() {
		e.net.mu.Lock()
		defer e.net.mu.Unlock()
		delete(e.net.endpoints, e.at)
	})
	return e.SimConn.Close()
}

// addrOf is the IP of a UDP address, without the IPv4-in-IPv6 mapping.
func addrOf(a net.Addr) netip.Addr {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return u.AddrPort().Addr().Unmap()
}

// sourceIP tells QUIC which address of the node a dial leaves from: the one it
// listened on last.
type sourceIP struct{ ip atomic.Pointer[net.IP] }

// PreferredSourceIPForDestination is quicreuse's question.
func (s *sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return *s.ip.Load(), nil
}

// Options puts a libp2p host on this network: QUIC over its endpoints instead
// of sockets. The host must listen on concrete /ip4/…/udp/…/quic-v1 addresses.
func (n *Network) Options() []libp2p.Option {
	source := new(sourceIP)
	listen := func(_ string, at *net.UDPAddr) (net.PacketConn, error) {
		c, err := n.listen(at)
		if err == nil {
			source.ip.Store(&at.IP)
		}
		return c, err
	}
	return []libp2p.Option{
		libp2p.QUICReuse(
			func(l fx.Lifecycle, srk quic.StatelessResetKey, tk quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
				cm, err := quicreuse.NewConnManager(srk, tk, opts...)
				if err != nil {
					return nil, err
				}
				// The host closes only a manager that it made itself.
				l.Append(fx.StopHook(cm.Close))
				return cm, nil
			},
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source, nil }),
			quicreuse.OverrideListenUDP(listen),
		),
		// With it, the clock of a bubble stalls (go-libp2p's x/simlibp2p says
		// so too), and there is no NAT here to be seen through.
		libp2p.DisableIdentifyAddressDiscovery(),
	}
}
