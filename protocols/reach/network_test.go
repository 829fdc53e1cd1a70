package reach

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

func TestPublicNetworksAreOf24BitsAnd48(t *testing.T) {
	for _, c := range []struct{ first, network, public string }{
		{"/ip4/5.6.7.8/tcp/1", "5.6.7.0/24", "5.6.7.0/24"},
		{"/ip6/2606:1:2:3::4/tcp/1", "2606:1:2::/48", "2606:1:2::/48"},

		{"/ip4/10.0.0.1/tcp/1", "10.0.0.0/24", "9.9.9.0/24"},
		{"/ip4/127.0.0.1/tcp/1", "127.0.0.0/24", "9.9.9.0/24"},
	} {
		a := ma.StringCast(c.first)
		if got := NetworkOf(a); got != c.network {
			t.Errorf("%s is in %q", a, got)
		}
		if got := PublicNetwork([]ma.Multiaddr{a, ma.StringCast("/ip4/9.9.9.9/tcp/1")}); got != c.public {
			t.Errorf("%s and a public address: %q", a, got)
		}
	}
	if got := NetworkOf(ma.StringCast("/dns4/example.com/tcp/1")); got != "" {
		t.Errorf("a name is in %q", got)
	}
}

func TestACrowdIsFullOnlyOfWhoHasANetwork(t *testing.T) {
	crowd := make(Crowd)
	for i := range 2 * PerNetwork {
		if crowd.Full("") {
			t.Error("nodes without a network are a crowd")
		}
		if got, want := crowd.Full("5.6.7.0/24"), i >= PerNetwork; got != want {
			t.Errorf("with %d there: full %v", i, got)
		}
	}
	if crowd.Full("5.6.8.0/24") {
		t.Error("another network is full")
	}
}

func TestWhereANodeIsIsBelievedUntilItIsToldInTwoWaysAndAlwaysWhenSeen(t *testing.T) {
	at := func(text string) []ma.Multiaddr { return []ma.Multiaddr{ma.StringCast(text)} }
	var w Whereabouts
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"nothing", func() {}, ""},
		{"told", func() { w.Tell(at("/ip4/5.6.7.8/tcp/1")) }, "5.6.7.0/24"},
		{"told the same", func() { w.Tell(at("/ip4/5.6.7.9/tcp/1")) }, "5.6.7.0/24"},
		{"told a private address", func() { w.Tell(at("/ip4/10.0.0.1/tcp/1")) }, "5.6.7.0/24"},
		{"told another", func() { w.Tell(at("/ip4/5.6.8.9/tcp/1")) }, ""},
		{"told the first again", func() { w.Tell(at("/ip4/5.6.7.8/tcp/1")) }, ""},
		{"seen", func() { w.See("1.2.3.0/24") }, "1.2.3.0/24"},
		{"told after it was seen", func() { w.Tell(at("/ip4/5.6.7.8/tcp/1")) }, "1.2.3.0/24"},
		{"seen on a LAN", func() { w.See("") }, ""},
		{"told after that", func() { w.Tell(at("/ip4/5.6.7.8/tcp/1")) }, ""},
	} {
		if step.do(); w.Network() != step.want {
			t.Errorf("%s: %q, want %q", step.what, w.Network(), step.want)
		}
	}
}
