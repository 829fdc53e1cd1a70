package node

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestABindingListsWhereOthersSeeTheNode(t *testing.T) {
	const lanQUIC, lanTCP, lan6 = "/ip4/10.0.0.7/udp/4001/quic-v1", "/ip4/10.0.0.7/tcp/4002", "/ip6/fd00::7/udp/4003/quic-v1"
	const relayed = "/ip4/1.1.1.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit"
	for what, c := range map[string]struct {
		addrs    []string
		observed string
		want     string
	}{
		"not seen":                 {[]string{lanQUIC}, "", ""},
		"seen over QUIC":           {[]string{lanTCP, lanQUIC}, "9.9.9.9:777", "/ip4/9.9.9.9/udp/777/quic-v1"},
		"seen, not over QUIC":      {[]string{lanTCP, lanQUIC}, "9.9.9.9:0", "/ip4/9.9.9.9/udp/4001/quic-v1"},
		"without QUIC":             {[]string{lanTCP}, "9.9.9.9:777", "/ip4/9.9.9.9/tcp/4002"},
		"with a relay":             {[]string{relayed, lanQUIC}, "9.9.9.9:777", "/ip4/9.9.9.9/udp/777/quic-v1"},
		"with a public address":    {[]string{lanQUIC, "/ip4/8.8.8.8/tcp/1"}, "9.9.9.9:777", ""},
		"seen by IPv6":             {[]string{lanQUIC, lan6}, "[2606::9]:777", "/ip6/2606::9/udp/777/quic-v1"},
		"seen by IPv6, has it not": {[]string{lanQUIC}, "[2606::9]:777", ""},
		"with nothing":             {nil, "9.9.9.9:777", ""},
	} {
		var addrs []ma.Multiaddr
		for _, a := range c.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		var observed netip.AddrPort
		if c.observed != "" {
			observed = netip.MustParseAddrPort(c.observed)
		}
		var got []string
		for _, a := range withObserved(addrs, observed) {
			got = append(got, a.String())
		}
		want := c.addrs
		if c.want != "" {
			want = append([]string{c.want}, want...)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestTrustOpensTheGate(t *testing.T) {
	n, err := Start(t.Context(), Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisableMDNS: true, DisablePortMapping: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	a := ma.StringCast("/ip4/169.254.169.254/tcp/80")
	if n.gate.InterceptAddrDial("p", a) {
		t.Fatal("a stranger may name the cloud's own services")
	}
	n.Trust(peer.AddrInfo{ID: "p", Addrs: []ma.Multiaddr{a}})
	if !n.gate.InterceptAddrDial("p", a) {
		t.Error("the embedder may not")
	}
}
