package node

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// staleTime is for how long the host may take old addresses of the machine for
// its present ones: go-libp2p reads the interfaces once a minute (interface
// address cache of its basic host), and looks at what it has read every 5 s.
const staleTime = 70 * time.Second

// place puts right what the host knows of this machine's addresses after they
// have changed. The zero value changes nothing.
type place struct {
	mu    sync.Mutex
	until time.Time           // when the host knows by itself
	gone  map[netip.Addr]bool // addresses that the machine had
	fresh []ma.Multiaddr      // where the node listens, on the present addresses
}

// option puts the place before whatever an embedder does to the addresses.
func (p *place) option(c *libp2p.Config) error {
	factory := c.AddrsFactory
	c.AddrsFactory = func(addrs []ma.Multiaddr) []ma.Multiaddr {
		if addrs = p.apply(addrs, time.Now()); factory != nil {
			addrs = factory(addrs)
		}
		return addrs
	}
	return nil
}

// moved takes in that the machine's addresses have changed.
func (p *place) moved(h host.Host, gone []netip.Addr) {
	present, err := manet.InterfaceMultiaddrs()
	if err != nil {
		return // the host finds out by itself, later
	}
	p.note(h.Network().ListenAddresses(), present, gone, time.Now())
}

func (p *place) note(listen, present []ma.Multiaddr, gone []netip.Addr, now time.Time) {
	present = slices.DeleteFunc(slices.Clone(present), manet.IsIP6LinkLocal)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.After(p.until) || p.gone == nil {
		p.gone = make(map[netip.Addr]bool)
	}
	p.until = now.Add(staleTime)
	for _, ip := range gone {
		p.gone[ip] = true
	}
	for _, a := range present {
		delete(p.gone, ipOf(a))
	}
	p.fresh = nil
	for _, a := range listen {
		if manet.IsIPUnspecified(a) {
			resolved, _ := manet.ResolveUnspecifiedAddress(a, present) // none of its IP version
			p.fresh = append(p.fresh, resolved...)
		}
	}
}

// apply is addrs without those that are gone and with those that are new.
func (p *place) apply(addrs []ma.Multiaddr, now time.Time) []ma.Multiaddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !now.Before(p.until) {
		return addrs
	}
	right := slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		return reach.TransportOf(a) != reach.Relay && p.gone[ipOf(a)]
	})
	for _, a := range p.fresh {
		if !slices.ContainsFunc(right, func(b ma.Multiaddr) bool { return begins(b, a) }) {
			right = append(right, a)
		}
	}
	return right
}

// begins reports that whole is a, or a with the hashes of its certificates.
func begins(whole, a ma.Multiaddr) bool {
	return len(whole) >= len(a) && whole[:len(a)].Equal(a) &&
		!slices.ContainsFunc(whole[len(a):], func(c ma.Component) bool { return c.Protocol().Code != ma.P_CERTHASH })
}

// ipOf is the IP address that a begins with; invalid for none.
func ipOf(a ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}
