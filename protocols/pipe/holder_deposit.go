package pipe

import (
	"net/netip"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Deposit says who brings a record, as the holder's connection shows it.
type Deposit struct {
	From   peer.ID
	Group  string     // address group that quotas count; empty is exempt
	SeenIP netip.Addr // at which From is seen; invalid if it is relayed
}

// DepositFrom makes a Deposit from the remote address of a connection. The
// group is the /24 of an IPv4 address and the /48 of an IPv6 address; relayed
// peers are grouped by their relay, apart from direct ones; loopback is exempt.
func DepositFrom(from peer.ID, remote ma.Multiaddr) Deposit {
	ip, ok := ipOf(remote)
	relayed := isRelayed(remote)
	d := Deposit{From: from, Group: groupOf(ip)}
	switch {
	case !ok:
		d.Group = "unknown"
	case relayed && d.Group != "":
		d.Group = "relay " + d.Group
	case !relayed:
		d.SeenIP = ip
	}
	return d
}

func groupOf(ip netip.Addr) string {
	if ip.IsLoopback() {
		return ""
	}
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// Unproven lists the indexes of the endpoints that a peer seen at an IP has not
// shown to be its own: public addresses with another IP, and whatever is named
// and not numbered. An invalid IP proves none.
func Unproven(endpoints []ma.Multiaddr, seen netip.Addr) []int {
	var list []int
	for i, a := range endpoints {
		ip, ok := ipOf(a)
		if !ok || (ip != seen.Unmap() && isPublic(ip)) {
			list = append(list, i)
		}
	}
	return list
}

func isPublic(ip netip.Addr) bool {
	a, err := manet.FromIP(ip.AsSlice())
	return err != nil || manet.IsPublicAddr(a)
}

// ipOf is the IP address that a multiaddr begins with, without zone.
func ipOf(a ma.Multiaddr) (netip.Addr, bool) {
	for _, c := range a {
		switch c.Code() {
		case ma.P_IP6ZONE:
			continue
		case ma.P_IP4, ma.P_IP6:
			ip, ok := netip.AddrFromSlice(c.RawValue())
			return ip.Unmap(), ok
		}
		break
	}
	return netip.Addr{}, false
}

func isRelayed(a ma.Multiaddr) bool {
	for _, c := range a {
		if c.Code() == ma.P_CIRCUIT {
			return true
		}
	}
	return false
}
