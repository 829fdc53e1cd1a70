package reach

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
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

func TestRelaysThatAreNotConnectedWaitForOthersThatAre(t *testing.T) {
	const live, lost = "12D3KooWPbyJeusGVP8Aa8eRtfWC8ATjyjkopQy8a6P7HKZ2wZAb", "12D3KooWGfFgZacUqNHTbCHGqwCVx4r22sJ4eyea2AGX1aYh7Ey1"
	byLost, byLive := ma.StringCast("/ip4/23.1.1.1/udp/1/quic-v1/p2p/"+lost+"/p2p-circuit"), ma.StringCast("/ip4/25.1.1.1/udp/1/quic-v1/p2p/"+live+"/p2p-circuit")
	addrs := []ma.Multiaddr{byLost, byLive, ma.StringCast("/ip4/24.1.1.1/udp/1/quic-v1")}
	before := make(map[string]time.Duration)
	for _, r := range Rank(addrs) {
		before[r.Addr.String()] = r.Delay
	}
	for connected, waits := range map[string]time.Duration{"": 0, live: nextAfter} {
		for _, r := range RankBy(func(p peer.ID) bool { return p.String() == connected })(addrs) {
			want := before[r.Addr.String()]
			if r.Addr.Equal(byLost) {
				want += waits
			}
			if r.Delay != want {
				t.Errorf("%q is connected: %s is dialled after %s, want %s", connected, r.Addr, r.Delay, want)
			}
		}
	}
}
