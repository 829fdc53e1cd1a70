package pipe

import (
	"net/netip"
	"slices"
	"testing"
)

func TestDepositIsGroupedByTheNetworkItComesFrom(t *testing.T) {
	relay := newActor(t, 2)
	for _, c := range []struct{ remote, group, seen string }{
		{"/ip4/1.2.3.4/tcp/1", "1.2.3.0/24", "1.2.3.4"},
		{"/ip4/192.168.1.2/udp/1/quic-v1", "192.168.1.0/24", "192.168.1.2"},
		{"/ip6/2001:db8:1:2::3/tcp/1", "2001:db8:1::/48", "2001:db8:1:2::3"},
		{"/ip6/::ffff:1.2.3.4/tcp/1", "1.2.3.0/24", "1.2.3.4"},
		{"/ip6zone/eth0/ip6/fe80::1/tcp/1", "fe80::/48", "fe80::1"},
		{"/ip4/127.0.0.1/tcp/1", "", "127.0.0.1"},
		{"/ip6/::1/tcp/1", "", "::1"},
		{"/ip4/1.2.3.4/tcp/1/p2p/" + relay.id.String() + "/p2p-circuit", "relay 1.2.3.0/24", ""},
		{"/ip4/127.0.0.1/tcp/1/p2p/" + relay.id.String() + "/p2p-circuit", "", ""},
		{"/dns4/example.org/tcp/1", "unknown", ""},
	} {
		d := DepositFrom(relay.id, addrsFor(t, c.remote)[0])
		want, _ := netip.ParseAddr(c.seen)
		if d.Group != c.group || d.SeenIP != want || d.From != relay.id {
			t.Errorf("%s: %+v", c.remote, d)
		}
	}
	if d := DepositFrom(relay.id, nil); d.Group != "unknown" {
		t.Errorf("no address: %+v", d)
	}
}

func TestEndpointsNotSeenAreUnproven(t *testing.T) {
	relay := newActor(t, 2)
	endpoints := addrsFor(t,
		"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.5/tcp/1", "/ip4/192.168.1.2/tcp/1", "/dns4/example.org/tcp/1",
		"/ip6/2a00:1450:4001:81b::200e/tcp/1", "/ip4/8.8.8.8/tcp/1/p2p/"+relay.id.String()+"/p2p-circuit")
	if got := Unproven(endpoints, netip.MustParseAddr("1.2.3.4")); !slices.Equal(got, []int{1, 3, 4, 5}) {
		t.Errorf("direct: %v", got)
	}
	if got := Unproven(endpoints, netip.MustParseAddr("::ffff:1.2.3.4")); !slices.Equal(got, []int{1, 3, 4, 5}) {
		t.Errorf("mapped: %v", got)
	}
	if got := Unproven(endpoints, netip.Addr{}); !slices.Equal(got, []int{0, 1, 3, 4, 5}) {
		t.Errorf("relayed: %v", got)
	}
}
