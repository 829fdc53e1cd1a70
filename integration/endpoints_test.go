package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// sent is a packet to somebody who is no node.
type sent struct {
	from, to netip.Addr
	at       time.Time
}

// wiretap writes down every packet to an address outside of the world.
type wiretap struct {
	mu      sync.Mutex
	packets []sent
}

func (w *wiretap) drop(p world.Packet) bool {
	if first := p.To.As4()[0]; p.To.Is4() && first >= 12 && first < 20 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets = append(w.packets, sent{p.From, p.To, time.Now()})
	return true
}

// atOnce is the greatest number of addresses to which a node sent packets
// within any span of time.
func (w *wiretap) atOnce(from netip.Addr, span time.Duration) int {
	most := 0
	for i, first := range w.packets {
		var to []netip.Addr
		for _, p := range w.packets[i:] {
			if first.from == from && p.from == from && p.at.Sub(first.at) < span && !slices.Contains(to, p.to) {
				to = append(to, p.to)
			}
		}
		most = max(most, len(to))
	}
	return most
}

// lying makes a node announce other addresses than its own: in its records, in
// identify, and so in what others tell of it.
func lying(addrs ...string) libp2p.Option {
	var told []ma.Multiaddr
	for _, a := range addrs {
		told = append(told, ma.StringCast(a))
	}
	return libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return told })
}

// aimed makes a world in which node 5 lists addrs, binds a pipe, and is gone;
// then node 4, which is not connected to it any more, dials.
func aimed(t *testing.T, addrs []string, check func(t *testing.T, tap *wiretap, w *world.World, id pipe.ID)) {
	world.Run(t, world.Config{Nodes: 6, Node: func(i int, c *node.Config) {
		if i == 5 {
			c.Libp2p = append(c.Libp2p, lying(addrs...))
		}
	}}, func(t *testing.T, w *world.World) {
		var tap wiretap
		w.Net.SetDrop(tap.drop)
		w.Settle(t)
		id, _ := bind(t, w.Nodes[5].Node, "bait", pipe.CreateOptions{})
		w.Kill(w.Nodes[5])
		w.Pass(3 * time.Minute)
		check(t, &tap, w, id)
	})
}

func TestNoPacketGoesToThePrivateEndpointsThatAStrangerLists(t *testing.T) {
	addrs := []string{
		"/ip4/10.0.0.7/udp/4001/quic-v1", "/ip4/192.168.1.1/udp/53/quic-v1", "/ip4/172.16.0.1/udp/1900/quic-v1",
		"/ip4/127.0.0.1/udp/631/quic-v1", "/ip4/169.254.169.254/udp/80/quic-v1", "/ip4/100.64.0.1/udp/161/quic-v1",
		"/ip4/255.255.255.255/udp/9/quic-v1", "/ip6/::ffff:10.0.0.7/udp/9/quic-v1",
	}
	aimed(t, addrs, func(t *testing.T, tap *wiretap, w *world.World, id pipe.ID) {
		e := w.Nodes[4].Pipes().Explain(t.Context(), id, pipe.DialOptions{})
		_, dialled := w.Nodes[4].Pipes().Dial(t.Context(), id, pipe.DialOptions{})
		w.Pass(30 * time.Minute) // whatever the routing table does with what identify told
		if len(tap.packets) > 0 {
			t.Errorf("%d packets went to %v, …", len(tap.packets), tap.packets[0].to)
		}
		var failed *pipe.DialError
		if !errors.As(dialled, &failed) || !strings.Contains(dialled.Error(), "10.0.0.7 is a private address named by a stranger: not tried") {
			t.Errorf("the dial failed of %v", dialled)
		}
		told := fmt.Sprint(e)
		if !strings.Contains(told, "192.168.1.1 is a private address named by a stranger: not tried") || !strings.Contains(told, "mDNS") {
			t.Errorf("explained as %s", told)
		}
	})
}

func TestVictimsInARecordAreTriedAFewAtATime(t *testing.T) {
	var addrs []string
	for i := range 8 {
		addrs = append(addrs, fmt.Sprintf("/ip4/99.%d.0.1/udp/4001/quic-v1", i))
	}
	aimed(t, addrs, func(t *testing.T, tap *wiretap, w *world.World, id pipe.ID) {
		tap.mu.Lock()
		tap.packets = nil
		tap.mu.Unlock()
		if _, err := w.Nodes[4].Pipes().Dial(t.Context(), id, pipe.DialOptions{}); err == nil {
			t.Error("connected to nobody")
		}
		w.Pass(time.Minute)
		// Two by the dial, and two by the walk, to which they were told.
		if n := tap.atOnce(w.Nodes[4].IP, 1900*time.Millisecond); n > 4 || n == 0 {
			t.Errorf("packets went to %d victims at a time, want at most 4 of the 8", n)
		}
	})
}

func TestANodeThatMovesKnowsItsNewPublicAddressAndForgetsTheOld(t *testing.T) {
	world.Run(t, world.Config{Nodes: 4}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		n := w.Nodes[2]
		for range 2 {
			if own := n.Discovery().OwnPublic(); !slices.Equal(own, []netip.Addr{n.IP}) {
				t.Errorf("at %s the node is at %v", n.IP, own)
			}
			w.Move(t, n)
			w.Pass(3 * time.Minute)
		}
	})
}
