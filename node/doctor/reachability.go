package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Values of Node.Reachability.
const (
	public  = "public"
	private = "private"
	local   = "local"
)

// listening judges the addresses on which others can dial this node.
func listening(n Node) []Finding {
	direct, loopback := 0, 0
	for _, a := range n.Addrs {
		if !strings.Contains(a, "/p2p-circuit") {
			direct++
		}
		if strings.HasPrefix(a, "/ip4/127.") || strings.HasPrefix(a, "/ip6/::1/") {
			loopback++
		}
	}
	switch {
	case n.NoListen:
		return one(Listen, Note, "this node only dials; nobody can dial it", "the setting listen is an empty list",
			"to be dialled, remove listen from the configuration")
	case len(n.Addrs) == 0:
		return one(Listen, Problem, "no address is known on which this node can be dialled", "no interface is up, or none has an address of the kind listened on",
			"look at the interfaces of this machine, and at the setting listen")
	case loopback > 0 && loopback == len(n.Addrs):
		return one(Listen, Note, "this node listens on loopback alone: nodes on other machines cannot reach it", strings.Join(n.Addrs, ", "),
			"if others are to reach it, listen on /ip4/0.0.0.0/tcp/PORT and /ip4/0.0.0.0/udp/PORT/quic-v1")
	case direct == 0:
		return one(Listen, Warning, "this node can be dialled through relays alone", strings.Join(n.Addrs, ", "),
			"look at the setting listen if it is to be dialled directly")
	}
	return one(Listen, OK, fmt.Sprintf("%d addresses to be dialled at", len(n.Addrs)), "", "")
}

// reachability tells from where this node can be reached.
func reachability(n Node) []Finding {
	seen := seenAs(n.NAT.Public)
	switch n.Reachability {
	case public:
		return one(Reachability, OK, "this node can be reached from everywhere"+seen,
			"others have dialled it, or an interface has a public address that nobody has failed to dial", "")
	case private:
		return behindNAT(n, seen)
	case local:
		return one(Reachability, OK, "no public address is in sight: this is a LAN or one machine, where everyone serves", "", "")
	}
	return one(Reachability, Note, "it is not known yet whether this node can be reached from outside"+seen,
		"there is a public IPv6 address, and nobody outside has tried it", "wait until more nodes of the overlay are connected")
}

// behindNAT is the case of a node that nobody outside can dial.
func behindNAT(n Node, seen string) []Finding {
	cause := "other nodes could not dial the addresses that they see it at: a NAT or a firewall stands between"
	switch {
	case len(n.NAT.Mapped) > 0 && !n.NAT.Double:
		return one(Reachability, Warning, "others cannot dial this node although the router forwards "+addrPorts(n.NAT.Mapped)+seen, cause,
			"look for a firewall on this machine and on the router")
	case len(n.Relays) > 0:
		return one(Reachability, Note, "this node cannot be dialled from outside, and is reached through relays"+seen, cause,
			"for direct paths forward a UDP and a TCP port of the router to this machine, and listen on them")
	}
	return one(Reachability, Warning, "this node cannot be dialled from outside"+seen, cause,
		"forward a UDP and a TCP port of the router to this machine and listen on them, or have one reachable node of the overlay run with relay.serve")
}

// portMapping tells whether the router helps. It is asked about only behind one.
func portMapping(n Node) []Finding {
	nat := n.NAT
	switch {
	case nat.Double && n.Reachability == public:
		return one(DoubleNAT, Note, "double NAT: what the router forwards is of no use, and others reach this node all the same",
			fmt.Sprintf("the router forwards %s, others see %s", addrPorts(nat.Mapped), orNothing(addresses(nat.Public))), "")
	case nat.Double:
		return one(DoubleNAT, Warning, "double NAT: the router's own address is translated once more, so that what it forwards is of no use",
			fmt.Sprintf("the router forwards %s, others see %s", addrPorts(nat.Mapped), orNothing(addresses(nat.Public))),
			"set the device of the provider to bridge mode, or forward the ports there too, or ask the provider for a public address; until then relays and hole punching are used")
	case len(nat.Mapped) > 0:
		return one(PortMapping, OK, "the router forwards "+addrPorts(nat.Mapped), "", "")
	case n.Reachability != private || n.NoListen:
		return nil
	case !n.MapPorts:
		return one(PortMapping, Note, "the router is not asked to forward ports", "the setting port_mapping is false",
			"set port_mapping = true, or forward the ports by hand")
	case nat.Router:
		return one(PortMapping, Warning, "the router answers, but forwards no port", "it refused, or its table is full",
			"allow UPnP or NAT-PMP on the router for this machine, or forward the ports by hand")
	}
	return one(PortMapping, Warning, "no router answers to UPnP or NAT-PMP", "it is switched off there, or a firewall drops it, or the provider translates addresses (CGNAT)",
		"switch UPnP or NAT-PMP on in the router, or forward the ports by hand")
}

// relays judges how a private node can be reached.
func relays(n Node) []Finding {
	switch {
	case len(n.Relays) > 0:
		return one(RelayUse, OK, "this node can be reached through "+count(len(n.Relays), "relay")+": "+strings.Join(n.Relays, ", "), "", "")
	case n.Reachability != private || n.NoListen:
		return nil
	case !n.UsesRelays:
		return one(RelayUse, Note, "relays are not used", "the setting transports does not name relay", "add relay to transports")
	}
	return one(RelayUse, Warning, "no relay has a place for this node: who cannot be dialled from here cannot reach it",
		"no connected server relays, or those that do are full", "run a reachable node of the overlay with relay.serve = true")
}

// circuits tells of each connection that goes over a relay.
func circuits(n Node) []Finding {
	var all []Finding
	for _, c := range n.Circuits {
		severity, next := Note, "what is opened next goes direct as soon as there is a direct path; panpipe explain "+c.Peer+" tells why there is none"
		left, short := leftOf(c)
		if short {
			severity, next = Warning, "the relay cuts it at its limit; raise relay.max_data and relay.max_duration at the relay, or make one side reachable"
		}
		all = append(all, one(RelayLimit, severity, "the connection to "+c.Peer+" goes over the relay "+c.Relay, left, next)...)
	}
	return all
}

// leftOf tells what a circuit has left, and whether it is less than a tenth.
func leftOf(c Circuit) (text string, short bool) {
	var parts []string
	if c.MaxTime > 0 {
		parts = append(parts, fmt.Sprintf("%s left of %s", span(c.LeftTime), span(c.MaxTime)))
		short = c.LeftTime < c.MaxTime/10
	}
	switch {
	case c.MaxData > 0 && c.LeftData >= 0:
		parts = append(parts, fmt.Sprintf("%s left of %s each way", size(c.LeftData), size(c.MaxData)))
		short = short || c.LeftData < c.MaxData/10
	case c.MaxData > 0:
		parts = append(parts, "at most "+size(c.MaxData)+" each way")
	}
	if len(parts) == 0 {
		return "the relay names no limit", false
	}
	return strings.Join(parts, ", "), short
}

func seenAs(seen []netip.Addr) string {
	if len(seen) == 0 {
		return ""
	}
	return ", seen by others as " + addresses(seen)
}

func addresses(all []netip.Addr) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func addrPorts(all []netip.AddrPort) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return orNothing(strings.Join(texts, ", "))
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// span writes a time as a person reads it.
func span(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size writes a number of bytes as a person reads it.
func size(n int64) string {
	const units = "KMGTP"
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	f, i := float64(n)/(1<<10), 0
	for ; f >= 1<<10 && i < len(units)-1; i++ {
		f /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
