package node

import (
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

const (
	relayA = "/p2p/12D3KooWA8EXV3KjBxEU5EnsPfneLx84vMWAtTBQBeyooN82KSuS/p2p-circuit"
	relayB = "/p2p/12D3KooWPbyJeusGVP8Aa8eRtfWC8ATjyjkopQy8a6P7HKZ2wZAb/p2p-circuit"
)

func TestEndpointsAreOrderedByTheirUse(t *testing.T) {
	for _, c := range []struct {
		name        string
		addrs, want []string
	}{
		{"loopback alone", []string{"/ip4/127.0.0.1/tcp/1"}, []string{"/ip4/127.0.0.1/tcp/1"}},
		{"public before private, loopback not",
			[]string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/23.1.1.1/tcp/1"},
			[]string{"/ip4/23.1.1.1/tcp/1", "/ip4/192.168.1.2/tcp/1"}},
		{"relays in turn, QUIC first",
			[]string{
				"/ip4/23.1.1.1/tcp/1" + relayA, "/ip4/23.1.1.1/udp/1/quic-v1" + relayA,
				"/ip4/25.1.1.1/tcp/1" + relayB, "/ip4/25.1.1.1/tcp/1/ws" + relayB, "/ip4/192.168.1.2/tcp/1",
			},
			[]string{
				"/ip4/192.168.1.2/tcp/1", "/ip4/23.1.1.1/udp/1/quic-v1" + relayA, "/ip4/25.1.1.1/tcp/1" + relayB,
				"/ip4/23.1.1.1/tcp/1" + relayA, "/ip4/25.1.1.1/tcp/1/ws" + relayB,
			}},
	} {
		var addrs []ma.Multiaddr
		for _, a := range c.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		var got []string
		for _, a := range byUse(addrs) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}
