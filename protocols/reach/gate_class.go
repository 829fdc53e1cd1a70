package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// class is what kind of place an address leads to.
type class uint8

const (
	classPublic   class = iota
	classPrivate        // of some local network, or of none: everything that is neither public nor below
	classLocal          // link-local: this very link
	classLoopback       // this very machine
	classCloud          // where a cloud answers its machines, with their credentials among others
	className           // a name that was not resolved
	classForeign        // no address of an IP network
	classNever          // leads to no single node, or to more than one
)

// Prefixes whose addresses carry an IPv4 address, at the offset given: a
// translator or a tunnel on the way would deliver to that one.
var embedding = []struct {
	prefix netip.Prefix
	at     int
	flip   byte // Teredo hides it by inverting its bits
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // NAT64, RFC 6052
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // SIIT, RFC 2765
	{netip.MustParsePrefix("2002::/16"), 2, 0},        // 6to4, RFC 3056
	{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // Teredo, RFC 4380
}

// cloud are the addresses of cloud metadata services.
var cloud = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // nearly all of them
	netip.MustParseAddr("169.254.170.2"),   // AWS, containers
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure; it looks public
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // RFC 1122: some systems take it for loopback
	everybody   = netip.MustParseAddr("255.255.255.255")
	global6     = netip.MustParsePrefix("2000::/3") // all that is given out
	discard6    = netip.MustParsePrefix("100::/64")
	compatible6 = netip.MustParsePrefix("::/96") // IPv4-compatible, long deprecated
)

// notPublic are the ranges that no node outside of some local network has,
// besides those that netip calls private. The list is that of manet, so that
// everybody in the node means the same by public.
var notPublic = prefixes(
	"100.64.0.0/10",                                     // carrier-grade NAT
	"192.0.0.0/26",                                      // RFC 6890
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation
	"192.88.99.0/24", // 6to4 relays
	"198.18.0.0/15",  // benchmarks
	"240.0.0.0/4",    // reserved
	"2001:db8::/32",  // documentation
)

func prefixes(text ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range text {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// plain is the IPv4 address that ip carries, else ip itself without a zone.
func plain(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	for _, e := range embedding {
		if e.prefix.Contains(ip) {
			b := ip.As16()
			v4 := [4]byte(b[e.at : e.at+4])
			for i := range v4 {
				v4[i] ^= e.flip
			}
			return netip.AddrFrom4(v4)
		}
	}
	return ip
}

// classOf tells what kind of place a plain address is.
func classOf(ip netip.Addr) class {
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	switch {
	case slices.Contains(cloud, ip):
		return classCloud
	case ip.IsLoopback():
		return classLoopback
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), ip == everybody,
		within(thisNetwork), within(discard6), within(compatible6):
		return classNever
	case ip.IsLinkLocalUnicast():
		return classLocal
	case ip.IsPrivate(), slices.ContainsFunc(notPublic, within), ip.Is6() && !within(global6):
		return classPrivate
	}
	return classPublic
}

// target is where a dial of an address would send its first packet, and to
// whom: for a relayed address that is the relay.
type target struct {
	peer peer.ID
	kind class
	ip   netip.Addr
	port string // with its protocol: "tcp/4001"
	name string // of a className
}

// targetOf reads an address at which p is said to be.
func targetOf(p peer.ID, a ma.Multiaddr) target {
	t := target{peer: p, kind: classForeign}
	hosts := 0
	for _, c := range a {
		switch code := c.Code(); code {
		case ma.P_CIRCUIT:
			return t.checked(hosts)
		case ma.P_IP4, ma.P_IP6:
			ip, _ := netip.AddrFromSlice(c.RawValue())
			t.ip = plain(ip)
			t.kind = classOf(t.ip)
			hosts++
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			t.name, t.kind = c.Value(), className
			hosts++
		case ma.P_UNIX:
			t.name, t.kind = c.Value(), classLoopback
			hosts++
		case ma.P_TCP, ma.P_UDP:
			if t.port == "" {
				t.port = fmt.Sprintf("%s/%s", c.Protocol().Name, c.Value())
			}
		case ma.P_P2P:
			// Before /p2p-circuit it is the relay's, else p's own.
			if id, err := peer.IDFromBytes(c.RawValue()); err == nil {
				t.peer = id
			}
		}
	}
	t.peer = p
	return t.checked(hosts)
}

// checked refuses addresses that name several places, of which one transport
// may take the first and another the last.
func (t target) checked(hosts int) target {
	if hosts > 1 {
		t.kind = classNever
	}
	return t
}

// siteOf is what all nodes of one site share of a public address: the whole
// IPv4 address, which a router shares among those behind it, or the IPv6 /64.
func siteOf(ip netip.Addr) netip.Addr {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// broadcasts reports that ip is the address of everybody on an IPv4 link.
func broadcasts(ip netip.Addr, link netip.Prefix) bool {
	if !ip.Is4() || !link.Addr().Is4() || link.Bits() > 30 || !link.Contains(ip) {
		return false
	}
	return !link.Contains(ip.Next()) || !link.Contains(ip.Prev())
}
