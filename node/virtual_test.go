package node

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// virtual starts nodes in a bubble's network, where all addresses are public
// and a packet takes 25 ms.
type virtual struct {
	net   *simnet.Simnet
	count int
}

func inVirtualTime(t *testing.T, f func(t *testing.T, v *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{net: &simnet.Simnet{LatencyFunc: simnet.StaticLatency(25 * time.Millisecond)}}
		v.net.Start()
		t.Cleanup(v.net.Close) // after the nodes, which are started later
		f(t, v)
	})
}

func (v *virtual) start(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	v.count++
	link := simnet.LinkSettings{BitsPerSecond: 100_000_000}
	cfg := local(fmt.Sprintf("/ip4/1.0.%d.1/udp/4001/quic-v1", v.count))
	cfg.Transports = []string{string(reach.QUIC), string(reach.Relay)}
	cfg.DisableNetworkWatch = true // of the real machine
	cfg.Libp2p = []libp2p.Option{
		simlibp2p.QUICSimnet(v.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.DisableIdentifyAddressDiscovery(),                               // asks the real machine for its interfaces
		func(c *libp2p.Config) error { c.EnableAutoNATv2 = false; return nil }, // dials back with real sockets
	}
	if change != nil {
		change(&cfg)
	}
	return start(t, cfg)
}

func TestNodesRunInVirtualTime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		first := v.start(t, nil)
		began := time.Now()
		second := v.start(t, func(c *Config) { c.Join = []string{ticket(first)} })
		if err := second.Ready(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("ready after %v", took)
		}
		time.Sleep(2 * time.Hour)
		if s := second.Discovery().State(); !s.Joined || s.Peers != 1 {
			t.Errorf("hours later: %+v", s)
		}
	})
}

// backWithin is how soon a node is at its limit after connections were made.
const backWithin = 4 * time.Second

func TestMaxConnectionsHoldsForRoutingTableToo(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		const most = minConnections
		hub := v.start(t, func(c *Config) { c.MaxConnections = most })
		for range 2 * most {
			n := v.start(t, func(c *Config) { c.Join = []string{ticket(hub)} })
			if err := n.Ready(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(backWithin)
		if got := len(hub.Host().Network().Conns()); got > most || got < most/2 {
			t.Errorf("%d connections after %v, want at most %d", got, backWithin, most)
		}
	})
}
