package reach

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func TestRelaysWaitForDirectAddresses(t *testing.T) {
	const relay = "/p2p/12D3KooWPbyJeusGVP8Aa8eRtfWC8ATjyjkopQy8a6P7HKZ2wZAb/p2p-circuit"
	const byRelay, byOther = "/ip4/23.1.1.1/udp/1/quic-v1" + relay, "/ip4/25.1.1.1/udp/1/quic-v1" + relay
	for _, c := range []struct {
		name  string
		addrs []string
		want  time.Duration // of the first dial by a relay
	}{
		{"nothing else", []string{byRelay, byOther}, 0},
		{"an address on the LAN", []string{byRelay, "/ip4/192.168.1.2/udp/1/quic-v1", byOther}, 200 * time.Millisecond},
		{"loopback", []string{byRelay, "/ip4/127.0.0.1/tcp/1"}, 200 * time.Millisecond},
		{"a public address", []string{byRelay, "/ip4/24.1.1.1/udp/1/quic-v1"}, 200 * time.Millisecond},
	} {
		var addrs []ma.Multiaddr
		for _, a := range c.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		first := time.Duration(-1)
		for _, r := range Rank(addrs) {
			if relayed := TransportOf(r.Addr) == Relay; relayed && (first < 0 || r.Delay < first) {
				first = r.Delay
			}
		}
		if first != c.want {
			t.Errorf("%s: the relay is dialled after %s, want %s", c.name, first, c.want)
		}
	}
}
