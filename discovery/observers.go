package discovery

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// observers remembers at which public address others say to see this node. A
// report may be a lie, so the address counts that most say, where all of one
// address group have one voice together, and only nodes that this one has
// dialled are heard. It is pure: the time is passed in.
type observers struct {
	reports map[peer.ID]report
}

// report is what one node says.
type report struct {
	group  netip.Prefix // of the node that says it
	ip     netip.Addr   // where it sees this node
	quic   uint16       // the port that it sees, if it does so over QUIC
	chosen bool         // a person named that node
	at     time.Time
}

// Caps of reports. Observers in one group are few, so that they cannot crowd
// others out.
const (
	maxReports = 64
	maxInGroup = 4

	enoughGroups = 2 // must agree, unless one that says it was named by a person
)

func newObservers() observers { return observers{make(map[peer.ID]report)} }

// note takes in that p, which this node has dialled at an address, sees it at
// seen. Only public addresses on both sides count.
func (o observers) note(p peer.ID, at, seen ma.Multiaddr, chosen bool, now time.Time) {
	if seen == nil || reach.TransportOf(at) == reach.Relay || reach.TransportOf(seen) == reach.Relay ||
		!manet.IsPublicAddr(at) || !manet.IsPublicAddr(seen) {
		return
	}
	from, ok := addrOf(at)
	ip, okIP := addrOf(seen)
	if !ok || !okIP {
		return
	}
	r := report{group: groupOf(from), ip: ip, chosen: chosen, at: now}
	if reach.TransportOf(seen) == reach.QUIC {
		r.quic = portOf(seen)
	}
	delete(o.reports, p)
	o.makeRoom(r.group)
	o.reports[p] = r
}

// makeRoom drops the oldest report of a full group, or of all.
func (o observers) makeRoom(group netip.Prefix) {
	in := func(g netip.Prefix) int {
		n := 0
		for _, r := range o.reports {
			if r.group == g {
				n++
			}
		}
		return n
	}
	full := in(group) >= maxInGroup
	if !full && len(o.reports) < maxReports {
		return
	}
	var oldest peer.ID
	for p, r := range o.reports {
		if (!full || r.group == group) && (oldest == "" || r.at.Before(o.reports[oldest].at)) {
			oldest = p
		}
	}
	delete(o.reports, oldest)
}

// refresh keeps the reports of connected nodes and forgets old ones.
func (o observers) refresh(now time.Time, connected func(peer.ID) bool) {
	for p, r := range o.reports {
		switch {
		case connected(p):
			r.at = now
			o.reports[p] = r
		case now.Sub(r.at) > sightingLife:
			delete(o.reports, p)
		}
	}
}

// reset forgets everything: this node has moved to another network.
func (o observers) reset() { clear(o.reports) }

// agreed returns the address of each IP version on which more than half of the
// groups agree, IPv4 first.
func (o observers) agreed() []netip.Addr {
	var out []netip.Addr
	for _, is6 := range []bool{false, true} {
		if ip := o.majority(is6); ip.IsValid() {
			out = append(out, ip)
		}
	}
	return out
}

// majority counts the voices for one IP version. The voice of a group that does
// not agree with itself is split.
func (o observers) majority(is6 bool) netip.Addr {
	size := make(map[netip.Prefix]float64) // reports of a group
	for _, r := range o.reports {
		if r.ip.Is6() == is6 {
			size[r.group]++
		}
	}
	votes := make(map[netip.Addr]float64)
	groups := make(map[netip.Addr]map[netip.Prefix]bool)
	chosen := make(map[netip.Addr]bool)
	for _, r := range o.reports {
		if r.ip.Is6() != is6 {
			continue
		}
		votes[r.ip] += 1 / size[r.group]
		if groups[r.ip] == nil {
			groups[r.ip] = make(map[netip.Prefix]bool)
		}
		groups[r.ip][r.group] = true
		chosen[r.ip] = chosen[r.ip] || r.chosen
	}
	for ip, n := range votes {
		if n > float64(len(size))/2+1e-9 && (chosen[ip] || len(groups[ip]) >= enoughGroups) {
			return ip
		}
	}
	return netip.Addr{}
}

// quicPort is the port at which most see this node's QUIC at ip, the lower of
// equals; 0 if nobody does.
func (o observers) quicPort(ip netip.Addr) uint16 {
	counts := make(map[uint16]int)
	best := uint16(0)
	for _, r := range o.reports {
		if r.ip == ip && r.quic != 0 {
			counts[r.quic]++
		}
	}
	for port, n := range counts {
		if best == 0 || n > counts[best] || n == counts[best] && port < best {
			best = port
		}
	}
	return best
}

// groupOf is whose voices count as one: the /16 of an IPv4 or the /32 of an
// IPv6 address, about what one provider hands out.
func groupOf(ip netip.Addr) netip.Prefix {
	bits := 16
	if ip.Is6() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // cannot fail for an address of that length
	return p
}

func portOf(a ma.Multiaddr) uint16 {
	for _, c := range a {
		if c.Code() == ma.P_UDP || c.Code() == ma.P_TCP {
			if b := c.RawValue(); len(b) == 2 {
				return uint16(b[0])<<8 | uint16(b[1])
			}
		}
	}
	return 0
}
