package reach

import (
	"net/netip"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

func TestTheRuleForDialling(t *testing.T) {
	var (
		stranger  = facts{outside: true}
		neighbour = facts{outside: true, shared: true}
		inside    = facts{}
		vouched   = facts{outside: true, vouched: true, shared: true}
	)
	for kind, want := range map[class][4]ruling{ // vouched, inside, neighbour, stranger
		classPublic:   {freely, ration, ration, ration},
		classPrivate:  {freely, freely, rationLocal, refuse},
		classLocal:    {freely, freely, refuse, refuse},
		classLoopback: {freely, freely, refuse, refuse},
		classCloud:    {freely, refuse, refuse, refuse},
		className:     {freely, refuse, refuse, refuse},
		classForeign:  {freely, freely, freely, freely},
		classNever:    {refuse, refuse, refuse, refuse},
	} {
		for i, f := range []facts{vouched, inside, neighbour, stranger} {
			f.kind = kind
			if got := rule(f); got != want[i] {
				t.Errorf("%+v: %d, want %d", f, got, want[i])
			}
		}
	}
}

func TestClassesOfAddresses(t *testing.T) {
	for kind, all := range map[class][]string{
		classPublic: {
			"1.1.1.1", "12.0.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::101:101", "::ffff:1.1.1.1",
			"2002:101:101::1",
		},
		classPrivate: {
			"10.0.0.7", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "100.127.255.254", "fd12::1", "fc00::1",
			"fec0::1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "240.0.0.1", "2001:db8::1", "4000::1",
			"64:ff9b:1::a00:1", "::ffff:10.0.0.7", "64:ff9b::a00:7", "64:ff9b::192.168.1.1", "::ffff:0:10.0.0.7",
			"2002:a00:7::1", "2001:0:1:2:3:4:f5ff:fff8",
		},
		classLocal:    {"169.254.1.1", "fe80::1", "::ffff:169.254.1.1"},
		classLoopback: {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"},
		classCloud:    {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "168.63.129.16", "fd00:ec2::254"},
		classNever:    {"0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::7f00:1", "::a00:7", "100::1", "64:ff9b::"},
	} {
		for _, s := range all {
			if got := classOf(plain(netip.MustParseAddr(s))); got != kind {
				t.Errorf("%s is of class %d, want %d", s, got, kind)
			}
		}
	}
}

func TestTargetsOfAddresses(t *testing.T) {
	const relay = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
	for a, want := range map[string]class{
		"/ip4/1.1.1.1/tcp/80":                                                  classPublic,
		"/ip6zone/eth0/ip6/fe80::1/tcp/80":                                     classLocal,
		"/ip4/1.1.1.1/tcp/80/ip4/10.0.0.7/tcp/80":                              classNever,
		"/ip4/1.1.1.1/tcp/80/dns4/localhost/tcp/80":                            classNever,
		"/dns4/victim.example/tcp/80":                                          className,
		"/dnsaddr/victim.example":                                              className,
		"/unix/run%2Fdocker.sock":                                              classLoopback,
		"/memory/7":                                                            classForeign,
		"/ip4/10.0.0.7/tcp/80/p2p/" + relay + "/p2p-circuit":                   classPrivate,
		"/ip4/127.0.0.1/tcp/80/ws/p2p/" + relay + "/p2p-circuit":               classLoopback,
		"/dns4/relay.example/tcp/80/p2p/" + relay + "/p2p-circuit":             className,
		"/p2p/" + relay + "/p2p-circuit":                                       classForeign,
		"/ip4/1.1.1.1/tcp/80/p2p/" + relay + "/p2p-circuit/ip4/10.0.0.7/tcp/1": classPublic,
	} {
		if got := targetOf("p", ma.StringCast(a)); got.kind != want {
			t.Errorf("%s is of class %d, want %d", a, got.kind, want)
		}
	}
	if got := targetOf("p", ma.StringCast("/ip4/1.1.1.1/tcp/80/p2p/"+relay+"/p2p-circuit")); got.peer.String() != relay {
		t.Errorf("a relayed dial goes to %s, want the relay", got.peer)
	}
	if got := targetOf("p", ma.StringCast("/ip6/64:ff9b::101:101/udp/9/quic-v1")); got.peer != "p" || got.port != "udp/9" ||
		got.ip != netip.MustParseAddr("1.1.1.1") {
		t.Errorf("target %+v", got)
	}
}

func TestBroadcastsOfALink(t *testing.T) {
	link := netip.MustParsePrefix("10.1.0.0/16")
	for s, want := range map[string]bool{
		"10.1.255.255": true, "10.1.0.0": true, "10.1.0.255": false, "10.1.0.1": false, "10.2.255.255": false, "fe80::": false,
	} {
		if got := broadcasts(netip.MustParseAddr(s), link); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	if broadcasts(netip.MustParseAddr("10.1.0.1"), netip.MustParsePrefix("10.1.0.0/31")) {
		t.Error("a link of two has no broadcasts")
	}
}
