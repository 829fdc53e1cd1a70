package discovery

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// sightings remembers who has been seen outside, for a while. It is pure: the
// time is passed in.
type sightings struct {
	inbound map[peer.ID]time.Time // dialled this node from outside
	outside map[peer.ID]time.Time // connected from or at a public address
}

func newSightings() sightings {
	return sightings{inbound: make(map[peer.ID]time.Time), outside: make(map[peer.ID]time.Time)}
}

// note takes in one connection. dialledUs means that the far side opened it of
// its own accord: not adopted, not relayed, and this node had not dialled it.
func (s sightings) note(p peer.ID, outside, dialledUs bool, now time.Time) {
	if !outside {
		return
	}
	remember(s.outside, p, now)
	if dialledUs {
		remember(s.inbound, p, now)
	}
}

// count forgets what is old and returns what is left.
func (s sightings) count(now time.Time) (inbound int, outside bool) {
	for _, m := range []map[peer.ID]time.Time{s.inbound, s.outside} {
		for p, at := range m {
			if now.Sub(at) > sightingLife {
				delete(m, p)
			}
		}
	}
	return len(s.inbound), len(s.outside) > 0
}

// reset forgets everything: this node has moved to another network.
func (s sightings) reset() {
	clear(s.inbound)
	clear(s.outside)
}

// remember caps m by dropping the oldest.
func remember(m map[peer.ID]time.Time, p peer.ID, now time.Time) {
	if _, ok := m[p]; !ok && len(m) >= maxSightings {
		var oldest peer.ID
		for q, at := range m {
			if oldest == "" || at.Before(m[oldest]) {
				oldest = q
			}
		}
		delete(m, oldest)
	}
	m[p] = now
}

// isOutside reports whether a is a public address that does not share a link
// with one of own: the same IPv6 /64, or the very same address, which is a
// neighbour behind the same router.
func isOutside(a ma.Multiaddr, own []netip.Addr) bool {
	if !manet.IsPublicAddr(a) {
		return false
	}
	ip, ok := addrOf(a)
	if !ok {
		return false
	}
	for _, o := range own {
		if o == ip || (o.Is6() && ip.Is6() && samePrefix(o, ip, 64)) {
			return false
		}
	}
	return true
}

func samePrefix(a, b netip.Addr, bits int) bool {
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

func addrOf(a ma.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	n, ok := netip.AddrFromSlice(ip)
	return n.Unmap(), ok
}

// publicIPs returns the public addresses among listen addresses of interfaces.
func publicIPs(addrs []ma.Multiaddr) (ips []netip.Addr, has4, has6 bool) {
	for _, a := range addrs {
		ip, ok := addrOf(a)
		if !ok || !manet.IsPublicAddr(a) {
			continue
		}
		ips = append(ips, ip)
		has4 = has4 || ip.Is4()
		has6 = has6 || ip.Is6()
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return slices.Compact(ips), has4, has6
}
