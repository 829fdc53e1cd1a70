package node

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/router"
)

// NATState is what the node knows of the address translation between it and
// the internet.
type NATState struct {
	Router bool             // a router that maps ports on request (UPnP, NAT-PMP) has answered
	Mapped []netip.AddrPort // what it has mapped to this node's ports, as it says; sorted
	Public []netip.Addr     // this node's public addresses, as others see them
	Double bool             // that router's own outside address is translated once more, so what it maps is of no use
}

// portMapper is libp2p's manager of port mappings, with an eye on what it is
// told. libp2p itself keeps that it found a router that maps nothing from its
// callers: such a router, or one that has no public address, is asked here.
type portMapper struct {
	basichost.NATManager
	ask func(context.Context) (outside netip.Addr, err error)

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	mapped  map[string]netip.AddrPort // by protocol and port of this node
	outside netip.Addr                // of the router, as it says
	silent  bool                      // the router answers, and has no outside address
	asked   time.Time
}

// askAgain is the least time between questions to a router that maps nothing.
const askAgain = 5 * time.Minute

// onlyIPv4 hides the IPv6 addresses that are listened on. Routers map IPv4 ports,
// and a mapping to the port of an IPv6 socket leads nowhere; libp2p would make
// and announce one all the same.
type onlyIPv4 struct{ network.Network }

// ListenAddresses lists those of IPv4.
func (n onlyIPv4) ListenAddresses() []ma.Multiaddr {
	return slices.DeleteFunc(n.Network.ListenAddresses(), isIPv6)
}

// newPortMapper starts looking for a router.
func newPortMapper(swarm network.Network) *portMapper {
	m := &portMapper{NATManager: basichost.NewNATManager(onlyIPv4{swarm}), ask: router.Outside, mapped: make(map[string]netip.AddrPort)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// GetMapping is called by libp2p for each listen address every few seconds.
func (m *portMapper) GetMapping(a ma.Multiaddr) ma.Multiaddr {
	if isIPv6(a) {
		return nil // it may have the port of an IPv4 address that is mapped
	}
	got := m.NATManager.GetMapping(a)
	m.note(a, got)
	return got
}

// note keeps what a listen address is mapped to, and asks a router that maps
// nothing for its outside address.
func (m *portMapper) note(a, got ma.Multiaddr) {
	if len(a) < 2 {
		return
	}
	key := a[1].String()
	m.mu.Lock()
	defer m.mu.Unlock()
	if to, ok := addrPortOf(got); ok {
		m.mapped[key], m.outside, m.silent = to, to.Addr(), false
		return
	}
	delete(m.mapped, key)
	now := time.Now()
	if len(m.mapped) > 0 || m.ctx.Err() != nil || !m.HasDiscoveredNAT() || now.Sub(m.asked) < askAgain && !m.asked.IsZero() {
		return
	}
	m.asked = now
	m.running.Go(m.question)
}

func (m *portMapper) question() {
	ctx, cancel := context.WithTimeout(m.ctx, router.Timeout)
	defer cancel()
	outside, err := m.ask(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mapped) == 0 {
		// Where nobody answers any more, this may be another network: what the
		// router said no longer counts.
		m.outside, m.silent = outside, err == nil && !outside.IsValid()
	}
}

// Close withdraws the mappings.
func (m *portMapper) Close() error {
	m.mu.Lock()
	m.cancel()
	m.mu.Unlock()
	m.running.Wait()
	return m.NATManager.Close()
}

// state tells what is known, given how others see the node and whether anybody
// outside does.
func (m *portMapper) state(public []netip.Addr, online bool) NATState {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := NATState{Router: m.HasDiscoveredNAT(), Public: public}
	for _, to := range m.mapped {
		s.Mapped = append(s.Mapped, to)
	}
	slices.SortFunc(s.Mapped, netip.AddrPort.Compare)
	s.Double = s.Router && double(m.outside, m.silent, public, online)
	return s
}

// double judges a router by its outside address: one that is not public, or is
// not what others see, is behind another router. One that has none although
// this node talks with the outside will not tell a private one: miniupnpd and
// others refuse to map ports there.
func double(outside netip.Addr, silent bool, public []netip.Addr, online bool) bool {
	if !outside.IsValid() {
		return silent && online
	}
	if !publicIP(outside) {
		return true
	}
	same := func(p netip.Addr) bool { return p.Is4() == outside.Is4() }
	return slices.ContainsFunc(public, same) && !slices.Contains(public, outside)
}

func publicIP(ip netip.Addr) bool {
	a, err := manet.FromIP(ip.AsSlice())
	return err == nil && manet.IsPublicAddr(a)
}

// addrPortOf reads the first two components of an address.
func addrPortOf(a ma.Multiaddr) (netip.AddrPort, bool) {
	if len(a) < 2 {
		return netip.AddrPort{}, false
	}
	to, err := netip.ParseAddrPort(net.JoinHostPort(a[0].Value(), a[1].Value()))
	return to, err == nil
}

// NAT tells what stands between the node and the internet. Without port mapping
// no router is asked, and Router, Mapped and Double stay empty.
func (n *Node) NAT() NATState {
	public := n.disc.OwnPublic()
	if n.mapper == nil {
		return NATState{Public: public}
	}
	switch n.disc.State().Reachability {
	case discovery.ReachPublic, discovery.ReachPrivate:
		return n.mapper.state(public, true)
	}
	return n.mapper.state(public, false)
}
