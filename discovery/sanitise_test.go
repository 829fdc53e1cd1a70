package discovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestAddressesOfOthersAreCleaned(t *testing.T) {
	id, _ := peer.Decode(somebody)
	other := makePeer(3)
	for _, c := range []struct{ in, want string }{
		{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1"},
		{"/ip4/192.0.2.1/tcp/1/p2p/" + somebody, "/ip4/192.0.2.1/tcp/1"},
		{"/ip4/192.0.2.1/tcp/1/p2p/" + other.String(), ""},
		{"/ip4/192.0.2.1/tcp/1/p2p/" + other.String() + "/p2p-circuit", "/ip4/192.0.2.1/tcp/1/p2p/" + other.String() + "/p2p-circuit"},
		{"/ip4/192.0.2.1/tcp/1/p2p/" + other.String() + "/p2p-circuit/p2p/" + somebody, "/ip4/192.0.2.1/tcp/1/p2p/" + other.String() + "/p2p-circuit"},
		{"/p2p/" + somebody, ""},
		{"/ip4/192.0.2.1", ""},
		{"/ip4/0.0.0.0/tcp/1", ""},
		{"/ip6/::/udp/1/quic-v1", ""},
		{"/ip4/224.0.0.1/udp/1/quic-v1", ""},
		{"/dns4/" + strings.Repeat("long.", 60) + "example/tcp/1", ""},
		{"/dns4/example.org/tcp/443/wss", "/dns4/example.org/tcp/443/wss"},
	} {
		got := ""
		if out := cleanAddrs(id, []ma.Multiaddr{ma.StringCast(c.in)}); len(out) > 0 {
			got = out[0].String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAtMostEightAddressesEachOnce(t *testing.T) {
	var addrs []ma.Multiaddr
	for i := range 100 {
		addrs = append(addrs, makeAddr(i), makeAddr(i))
	}
	out := cleanAddrs(makePeer(1), addrs)
	if len(out) != maxAddrs {
		t.Fatalf("%d", len(out))
	}
	for i, a := range out {
		if !a.Equal(makeAddr(i)) {
			t.Fatalf("%v", out)
		}
	}
}

func TestPublicAddressesAreToldFirst(t *testing.T) {
	var in []ma.Multiaddr
	for _, s := range []string{
		"/ip4/8.8.8.8/tcp/1/p2p/" + somebody + "/p2p-circuit", "/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/2", "/ip4/8.8.8.8/tcp/1",
	} {
		in = append(in, ma.StringCast(s))
	}
	out := bestAddrs(in)
	want := []ma.Multiaddr{in[3], in[4], in[2], in[1], in[0]}
	if !slices.EqualFunc(out, want, ma.Multiaddr.Equal) {
		t.Fatalf("%v", out)
	}
}
