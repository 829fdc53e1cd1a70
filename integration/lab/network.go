//go:build full

package lab

import (
	"fmt"
	"net/netip"
)

// Network is a switch with everything that is plugged in there.
type Network struct {
	at      *Machine
	bridge  string              // name of the switch at that machine
	prefix  netip.Prefix        // of its addresses; all of them on the internet
	gateway netip.Addr          // none on the internet: everybody is a neighbour there
	last    netip.Addr          // given out
	cables  map[*Machine]string // the switch's ends
}

// Internet makes a network on which any address may be used.
func (l *Lab) Internet() *Network {
	l.t.Helper()
	m := l.machine("net")
	return m.network("net", netip.MustParsePrefix("0.0.0.0/0"))
}

// LAN makes a network that is connected to nothing else.
func (l *Lab) LAN(prefix string) *Network {
	l.t.Helper()
	p := netip.MustParsePrefix(prefix)
	n := l.machine("lan").network("lan", p)
	n.last = p.Masked().Addr()
	return n
}

// network makes a switch at m, whose filter is not asked what neighbours say to
// each other.
func (m *Machine) network(name string, prefix netip.Prefix) *Network {
	m.lab.t.Helper()
	m.Sh(`
		ip link add %[1]s type bridge mcast_snooping 0
		ip link set %[1]s up
		if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
			echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
		fi`, name)
	return &Network{at: m, bridge: name, prefix: prefix, cables: make(map[*Machine]string)}
}

// Host plugs in a new machine with the given address; without one it takes the
// next that is free.
func (n *Network) Host(who string, address ...string) *Machine {
	n.at.lab.t.Helper()
	m := n.at.lab.machine(who)
	for _, a := range address {
		n.plug(m, netip.MustParseAddr(a))
	}
	if len(address) == 0 {
		n.last = n.last.Next()
		n.plug(m, n.last)
	}
	return m
}

// Beside makes another network in the same lab, connected to nothing else.
func (n *Network) Beside(prefix string) *Network { return n.at.lab.LAN(prefix) }

// Plug connects a machine that has been plugged in elsewhere to this network too.
func (n *Network) Plug(m *Machine, address string) {
	n.at.lab.t.Helper()
	n.plug(m, netip.MustParseAddr(address))
}

// Silence has the switch swallow what the machine sends and what others send to
// it, without a word to either, until Restore.
func (n *Network) Silence(m *Machine) {
	n.at.lab.t.Helper()
	n.at.Sh("ip link set %s nomaster", n.cables[m])
}

// Restore ends Silence.
func (n *Network) Restore(m *Machine) {
	n.at.lab.t.Helper()
	n.at.Sh("ip link set %s master %s", n.cables[m], n.bridge)
}

// port names the i-th cable of a machine.
func port(i int) string { return fmt.Sprintf("eth%d", i) }

// plug connects m to the network. What is not there is looked for behind the
// gateway.
func (n *Network) plug(m *Machine, address netip.Addr) {
	n.at.lab.t.Helper()
	dev := port(m.ports)
	m.ports++
	n.cables[m] = cable(m)
	n.at.lab.run("ip", "link", "add", dev, "netns", m.Name, "type", "veth", "peer", "name", cable(m), "netns", n.at.Name)
	n.at.Sh("ip link set %[1]s master %[2]s && ip link set %[1]s up", cable(m), n.bridge)
	bits := n.prefix.Bits()
	if bits == 0 {
		bits = 32
	}
	m.Sh("ip addr add %s/%d dev %s && ip link set %[3]s up", address, bits, dev)
	switch {
	case n.gateway.IsValid():
		m.Sh("ip route add default via %s", n.gateway)
	case m.ports == 1:
		m.Sh("ip route add default dev %s", dev)
	}
}

// cable names the switch's end of the last cable of m: at most 15 letters.
func cable(m *Machine) string {
	who := m.Name[len(m.lab.name)+1:]
	return fmt.Sprintf("%.11s.%d", who, m.ports)
}
