package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe"
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
		{"each transport over each family before a second of one",
			[]string{
				"/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.2/tcp/1/ws", "/ip4/10.0.0.2/udp/1/quic-v1", "/ip4/172.17.0.1/udp/1/quic-v1",
				"/ip6/fd00::2/tcp/1", "/ip6/fd00::2/tcp/1/ws", "/ip6/fd00::2/udp/1/quic-v1",
			},
			[]string{
				"/ip4/10.0.0.2/udp/1/quic-v1", "/ip6/fd00::2/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/1", "/ip6/fd00::2/tcp/1",
				"/ip4/10.0.0.2/tcp/1/ws", "/ip6/fd00::2/tcp/1/ws", "/ip4/172.17.0.1/udp/1/quic-v1",
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

// TestNoTransportIsLostForWantOfRoom: a machine with both families and another
// interface has more addresses than a binding takes.
func TestNoTransportIsLostForWantOfRoom(t *testing.T) {
	var told []ma.Multiaddr
	for _, ip := range []string{"/ip4/10.0.0.2", "/ip4/172.17.0.1", "/ip6/fd00::2"} {
		for _, rest := range []string{"/tcp/1", "/tcp/1/ws", "/udp/1/webrtc-direct", "/udp/1/quic-v1/webtransport", "/udp/1/quic-v1"} {
			told = append(told, ma.StringCast(ip+rest))
		}
	}
	n, err := Start(t.Context(), Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisableMDNS: true, DisablePortMapping: true,
		Libp2p: []libp2p.Option{libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return told })}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.CreatePipe(t.Context(), "x", pipe.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l, err := n.ListenPipe(t.Context(), "x", pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var listed []string
	for _, a := range n.pipes.Listeners()[0].Status().Binding.Endpoints {
		text, _, _ := strings.Cut(a.String(), "/certhash")
		listed = append(listed, text)
	}
	for _, want := range []string{
		"/ip4/10.0.0.2/udp/1/quic-v1", "/ip6/fd00::2/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/1", "/ip6/fd00::2/tcp/1",
		"/ip4/10.0.0.2/tcp/1/ws", "/ip4/10.0.0.2/udp/1/quic-v1/webtransport", "/ip4/10.0.0.2/udp/1/webrtc-direct",
	} {
		if !slices.Contains(listed, want) {
			t.Errorf("%s is not listed among %q", want, listed)
		}
	}
}
