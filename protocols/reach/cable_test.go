package reach_test

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// cable is a virtual network whose packets can be dropped. All its addresses
// are public; a packet takes half of rtt.
type cable struct {
	sim *simnet.Simnet

	mu   sync.Mutex
	drop func(from, to netip.AddrPort) bool // nil drops none
}

// never is when a dropped packet arrives: long after the test.
const never = 1000 * time.Hour

// inVirtualTime runs a test in virtual time on a virtual network.
func inVirtualTime(t *testing.T, f func(t *testing.T, c *cable)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{}
		c.sim = &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: c.latency}
		c.sim.Start()
		t.Cleanup(func() {
			c.sim.Close()
			synctest.Wait()
		})
		f(t, c)
	})
}

func (c *cable) latency(p *simnet.Packet) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drop != nil && c.drop(addrPort(p.From), addrPort(p.To)) {
		return never
	}
	return rtt / 2
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// dropping loses the packets for which drop says so, from now on.
func (c *cable) dropping(drop func(from, to netip.AddrPort) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop = drop
}

// between matches packets both ways between two addresses.
func between(a, b string) func(from, to netip.AddrPort) bool {
	x, y := netip.MustParseAddr(a), netip.MustParseAddr(b)
	return func(from, to netip.AddrPort) bool {
		return from.Addr() == x && to.Addr() == y || from.Addr() == y && to.Addr() == x
	}
}

// firewalled lets packets to the hosts named through only from where each has
// sent to already, as a NAT does that maps regardless of destination.
func firewalled(hosts ...string) func(from, to netip.AddrPort) bool {
	behind := make(map[netip.Addr]bool)
	for _, h := range hosts {
		behind[netip.MustParseAddr(h)] = true
	}
	open := make(map[[2]netip.AddrPort]bool)
	return func(from, to netip.AddrPort) bool {
		open[[2]netip.AddrPort{from, to}] = true
		return behind[to.Addr()] && !open[[2]netip.AddrPort{to, from}]
	}
}

// node starts a node at ip, with QUIC alone.
func (c *cable) node(t *testing.T, ip string, cfg reach.Config, opts ...libp2p.Option) node {
	t.Helper()
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings("/ip4/" + ip + "/udp/8000/quic-v1"),
		libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		simlibp2p.QUICSimnet(c.sim, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, h, cfg)
}
