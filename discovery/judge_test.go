package discovery

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

func TestJudgement(t *testing.T) {
	const (
		pub  = network.ReachabilityPublic
		priv = network.ReachabilityPrivate
	)
	for _, c := range []struct {
		name  string
		e     evidence
		reach Reachability
		serve bool
		emit  network.Reachability
	}{
		{"nothing known: LAN or alone", evidence{}, ReachLocal, true, pub},
		{"verified", evidence{verified: 1, outside: true}, ReachPublic, true, pub},
		{"verified beats refuted", evidence{verified: 1, refuted: 3, outside: true}, ReachPublic, true, pub},
		{"refuted", evidence{refuted: 1, outside: true}, ReachPrivate, false, priv},
		{"refuted beats an interface", evidence{refuted: 1, interface4: true, outside: true}, ReachPrivate, false, priv},
		{"refuted beats one that came in", evidence{refuted: 1, inbound: 1, outside: true}, ReachPrivate, false, priv},
		{"refuted beats two that came in", evidence{refuted: 1, inbound: 2, outside: true}, ReachPrivate, false, priv},
		{"three that came in beat refuted", evidence{refuted: 1, inbound: 3, outside: true}, ReachPublic, true, pub},
		{"one that came in", evidence{inbound: 1, outside: true}, ReachPublic, true, pub},
		{"public IPv4 on an interface", evidence{interface4: true}, ReachPublic, true, pub},
		{"public IPv4, nodes outside", evidence{interface4: true, outside: true}, ReachPublic, true, pub},
		{"behind a router", evidence{outside: true}, ReachPrivate, false, priv},
		{"behind a router with IPv6", evidence{outside: true, interface6: true}, ReachPrivate, false, priv},
		{"LAN with IPv6", evidence{interface6: true}, ReachUnknown, true, pub},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := verdict{c.reach, c.serve, c.emit}
			if got := judge(c.e); got != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
		})
	}
}

// TestJudgementIsNeverStuck covers all evidence: who is private does not serve,
// everybody else does, and more evidence of being reachable never takes a
// server out.
func TestJudgementIsNeverStuck(t *testing.T) {
	for i := range 4 * 3 * 5 * 8 {
		e := evidence{
			verified: i % 4, refuted: i / 4 % 3, inbound: i / 12 % 5,
			outside: i/60&1 > 0, interface4: i/60&2 > 0, interface6: i/60&4 > 0,
		}
		v := judge(e)
		if v.serve == (v.reachability == ReachPrivate) || (v.emit == network.ReachabilityPublic) != v.serve {
			t.Fatalf("%+v: %+v", e, v)
		}
		for _, better := range []evidence{
			{e.verified + 1, e.refuted, e.inbound, e.outside, e.interface4, e.interface6},
			{e.verified, e.refuted, e.inbound + 1, e.outside, e.interface4, e.interface6},
			{e.verified, e.refuted, e.inbound, e.outside, true, e.interface6},
		} {
			if v.serve && !judge(better).serve {
				t.Fatalf("%+v serves, %+v does not", e, better)
			}
		}
	}
}

func TestOutside(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("203.0.114.7"), netip.MustParseAddr("2a00:1:2:3::7")}
	for addr, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1":                  false,
		"/ip4/192.168.1.2/tcp/1":                false,
		"/ip4/100.64.1.2/tcp/1":                 false,
		"/ip6/fe80::1/tcp/1":                    false,
		"/ip6/fd00::1/tcp/1":                    false,
		"/ip4/8.8.4.4/udp/1/quic-v1":            true,
		"/ip4/203.0.114.7/tcp/1":                false, // the same router
		"/ip4/203.0.114.8/tcp/1":                true,
		"/ip6/2a00:1:2:3:aaaa::1/udp/1/quic-v1": false, // the same link
		"/ip6/2a00:1:2:4::1/udp/1/quic-v1":      true,
		"/dns4/example.org/tcp/1":               false,
	} {
		if got := isOutside(ma.StringCast(addr), own); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

func TestPublicAddressesOfInterfaces(t *testing.T) {
	cast := func(s ...string) (out []ma.Multiaddr) {
		for _, a := range s {
			out = append(out, ma.StringCast(a))
		}
		return out
	}
	for _, c := range []struct {
		addrs      []ma.Multiaddr
		ips        int
		has4, has6 bool
	}{
		{nil, 0, false, false},
		{cast("/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"), 0, false, false},
		{cast("/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1"), 1, true, false},
		{cast("/ip4/10.0.0.1/tcp/1", "/ip6/2a00:1:2:3::7/tcp/1"), 1, false, true},
	} {
		ips, has4, has6 := publicIPs(c.addrs)
		if len(ips) != c.ips || has4 != c.has4 || has6 != c.has6 {
			t.Errorf("%v: %v %v %v", c.addrs, ips, has4, has6)
		}
	}
}

func TestSightingsAreForgottenAndCapped(t *testing.T) {
	s := newSightings()
	now := time.Unix(1000, 0)
	s.note(makePeer(1), false, true, now) // not outside: no evidence
	if in, out := s.count(now); in != 0 || out {
		t.Fatal(in, out)
	}
	s.note(makePeer(1), true, false, now)
	if in, out := s.count(now); in != 0 || !out {
		t.Fatal(in, out)
	}
	s.note(makePeer(1), true, true, now)
	s.note(makePeer(1), true, true, now)
	if in, _ := s.count(now); in != 1 {
		t.Fatal("one node counts", in)
	}
	if in, out := s.count(now.Add(sightingLife)); in != 1 || !out {
		t.Fatal("forgotten too early")
	}
	if in, out := s.count(now.Add(sightingLife + 1)); in != 0 || out {
		t.Fatal("not forgotten")
	}
	for i := range 10 * maxSightings {
		s.note(makePeer(i), true, true, now.Add(time.Duration(i)))
	}
	if in, _ := s.count(now); in != maxSightings {
		t.Fatal(fmt.Sprint(in, " kept"))
	}
	if _, ok := s.inbound[makePeer(10*maxSightings-1)]; !ok {
		t.Fatal("the newest was dropped")
	}
	s.reset()
	if in, out := s.count(now); in != 0 || out {
		t.Fatal("not reset")
	}
}
