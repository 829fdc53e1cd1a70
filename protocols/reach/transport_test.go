package reach_test

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const somePeer = "/p2p/12D3KooWBmwkafWE2fqfzS96VoTZgpGp6aJsF4N21uRYvGbmvK7t"

func TestAddressesNameTheirTransport(t *testing.T) {
	for addr, want := range map[string]reach.Transport{
		"/ip4/1.2.3.4/tcp/1":                                     reach.TCP,
		"/dns4/a.example/tcp/1" + somePeer:                       reach.TCP,
		"/ip6/::1/udp/1/quic-v1":                                 reach.QUIC,
		"/ip4/1.2.3.4/udp/1/quic-v1" + somePeer:                  reach.QUIC,
		"/ip4/1.2.3.4/tcp/1/ws":                                  reach.WS,
		"/dns/a.example/tcp/443/tls/ws":                          reach.WSS,
		"/dns/a.example/tcp/443/tls/sni/a.example/ws":            reach.WSS,
		"/dns/a.example/tcp/443/wss":                             reach.WSS,
		"/ip4/1.2.3.4/udp/1/quic-v1/webtransport":                reach.WebTransport,
		"/ip4/1.2.3.4/udp/1/webrtc-direct":                       reach.WebRTC,
		"/ip4/1.2.3.4/tcp/1" + somePeer + "/p2p-circuit":         reach.Relay,
		"/ip4/1.2.3.4/udp/1/quic-v1" + somePeer + "/p2p-circuit": reach.Relay,
		"/p2p-circuit":                                           reach.Relay,
		// Layers and carriers that reach does not know are none of its transports.
		"/ip4/1.2.3.4/tcp/1/http":              reach.Any,
		"/ip4/1.2.3.4/tcp/1/tls":               reach.Any,
		"/ip4/1.2.3.4/udp/1/quic":              reach.Any,
		"/ip4/1.2.3.4/udp/1":                   reach.Any,
		"/dnsaddr/bootstrap.example":           reach.Any,
		"/memory/1":                            reach.Any,
		"/ip4/1.2.3.4/tcp/1/p2p-webrtc-direct": reach.Any,
	} {
		if got := reach.TransportOf(ma.StringCast(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}

func TestTransportNamesAreReadBack(t *testing.T) {
	for _, want := range append(reach.Transports(), reach.Any) {
		if got, err := reach.ParseTransport(string(want)); err != nil || got != want {
			t.Errorf("%q: %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{"TCP", "quic", "udp", " tcp", "http"} {
		if _, err := reach.ParseTransport(bad); wire.CodeOf(err) != wire.BadRequest || wire.NextOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOnlyThePrivateAddressIsHidden(t *testing.T) {
	in := []ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/tcp/1"), ma.StringCast("/memory/1"), ma.StringCast("/ip4/1.2.3.4/udp/1/quic-v1"), {}}
	out := reach.HideAdopted(in)
	if len(out) != 3 || !out[0].Equal(in[0]) || !out[1].Equal(in[2]) {
		t.Errorf("kept %s", out)
	}
	if !in[1].Equal(ma.StringCast("/memory/1")) {
		t.Error("the caller's list was changed")
	}
}
