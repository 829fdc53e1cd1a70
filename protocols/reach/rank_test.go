package reach

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

func addresses(format string, n int) (all []ma.Multiaddr) {
	for i := range n {
		all = append(all, ma.StringCast(fmt.Sprintf(format, 1+i)))
	}
	return all
}

// atOnce counts the addresses that are dialled in each step of the ladder.
func atOnce(addrs []ma.Multiaddr) []int {
	var steps []int
	for _, r := range Rank(addrs) {
		step := int(r.Delay / nextAfter)
		for len(steps) <= step {
			steps = append(steps, 0)
		}
		steps[step]++
	}
	return steps
}

func TestManyPublicAddressesAreGoneThroughSlowly(t *testing.T) {
	const circuit = "/p2p/" + relayID + "/p2p-circuit"
	for what, c := range map[string]struct {
		addrs []ma.Multiaddr
		want  []int
	}{
		"victims":             {addresses("/ip4/1.1.1.%d/udp/1/quic-v1", 8), []int{2, 2, 2, 2}},
		"ports of one victim": {addresses("/ip4/1.1.1.1/tcp/%d", 8), []int{4, 4}},
		"hosts of one /64":    {addresses("/ip6/2606::%d/tcp/1", 8), []int{4, 4}},
		"relays":              {addresses("/ip4/1.1.1.%d/tcp/1"+circuit, 4), []int{2, 2}},
		"a LAN":               {addresses("/ip4/10.0.0.%d/tcp/1", 8), []int{8}},
		"this machine":        {addresses("/ip4/127.0.0.1/tcp/%d", 8), []int{8}},
		"a node with relays": {slices.Concat(addresses("/ip4/1.1.1.1/tcp/%d", 2), addresses("/ip4/1.1.1.1/udp/%d/quic-v1", 2),
			addresses("/ip6/2606::1/tcp/%d", 2), addresses("/ip6/2606::1/udp/%d/quic-v1", 2),
			addresses("/ip4/1.1.2.%d/tcp/1"+circuit, 2)), []int{10}},
	} {
		if got := atOnce(c.addrs); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v are dialled every %v, want %v", what, got, nextAfter, c.want)
		}
	}
}

func TestFewAddressesAreRankedAsLibp2pDoes(t *testing.T) {
	addrs := slices.Concat(addresses("/ip4/1.1.1.1/tcp/%d", 2), addresses("/ip4/1.1.1.1/udp/%d/quic-v1", 1),
		addresses("/ip6/2606::1/udp/%d/quic-v1", 1), addresses("/ip4/10.0.0.%d/tcp/1", 3))
	want := make(map[string]time.Duration)
	for _, r := range swarm.DefaultDialRanker(slices.Clone(addrs)) {
		want[r.Addr.String()] = r.Delay
	}
	for _, r := range Rank(addrs) {
		if r.Delay != want[r.Addr.String()] {
			t.Errorf("%s after %v, want %v", r.Addr, r.Delay, want[r.Addr.String()])
		}
	}
}
