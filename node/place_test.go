package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func multiaddrs(addrs ...string) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range addrs {
		out = append(out, ma.StringCast(a))
	}
	return out
}

func TestNewAddressesOfTheMachineAreToldBeforeTheHostKnows(t *testing.T) {
	const hash = "/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ"
	const relayed = "/ip4/192.168.1.7/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit"
	listen := multiaddrs("/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/udp/4001/quic-v1/webtransport", "/ip6/::/tcp/4001", "/ip4/5.6.7.8/tcp/9", "/memory/1")
	host := multiaddrs( // as it was at home
		"/ip4/192.168.1.7/udp/4001/quic-v1", "/ip4/192.168.1.7/udp/4001/quic-v1/webtransport"+hash,
		"/ip4/8.8.8.8/udp/4001/quic-v1", "/ip4/5.6.7.8/tcp/9", relayed)
	away := multiaddrs( // and elsewhere
		"/ip4/8.8.8.8/udp/4001/quic-v1", "/ip4/5.6.7.8/tcp/9", relayed,
		"/ip4/10.0.0.9/udp/4001/quic-v1", "/ip4/10.0.0.9/udp/4001/quic-v1/webtransport")
	home, elsewhere := multiaddrs("/ip4/192.168.1.7", "/ip6/fe80::7"), multiaddrs("/ip4/10.0.0.9", "/ip6/fe80::9")
	now := time.Unix(1e9, 0)
	same := func(what string, got, want []ma.Multiaddr) {
		t.Helper()
		if !slices.EqualFunc(got, want, ma.Multiaddr.Equal) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	var p place
	same("nothing has happened", p.apply(host, now), host)
	p.note(listen, elsewhere, []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("fe80::7")}, now)
	same("elsewhere", p.apply(host, now), away)
	known := append(away[:4:4], ma.StringCast("/ip4/10.0.0.9/udp/4001/quic-v1/webtransport"+hash))
	same("the host knows", p.apply(known, now), known)
	same("later", p.apply(host, now.Add(staleTime)), host)
	p.note(listen, home, []netip.Addr{netip.MustParseAddr("10.0.0.9")}, now.Add(time.Second))
	same("home again", p.apply(host, now.Add(time.Second)), host)
	same("home again, and the host knew the other place", p.apply(away[:4], now.Add(time.Second)),
		slices.Concat(away[:3], host[:1], multiaddrs("/ip4/192.168.1.7/udp/4001/quic-v1/webtransport")))
}
