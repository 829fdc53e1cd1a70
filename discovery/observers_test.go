package discovery

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// says is one report: from an observer, what it sees, and whether a person
// named it.
type says struct {
	at, seen string
	chosen   bool
}

func TestOwnAddressIsWhatMostGroupsOfObserversSay(t *testing.T) {
	const us, lie, us6 = "/ip4/9.9.9.9/udp/4001/quic-v1", "/ip4/6.6.6.6/tcp/1", "/ip6/2606::9/tcp/1"
	at := func(group, host int) string { return fmt.Sprintf("/ip4/11.%d.0.%d/tcp/1", group, host) }
	for what, c := range map[string]struct {
		reports []says
		want    string
	}{
		"nobody":                            {nil, "[]"},
		"one alone":                         {[]says{{at: at(1, 1), seen: us}}, "[]"},
		"one that a person named":           {[]says{{at(1, 1), us, true}}, "[9.9.9.9]"},
		"two of one group":                  {[]says{{at: at(1, 1), seen: us}, {at: at(1, 2), seen: us}}, "[]"},
		"two groups":                        {[]says{{at: at(1, 1), seen: us}, {at: at(2, 1), seen: us}}, "[9.9.9.9]"},
		"two against one":                   {[]says{{at: at(1, 1), seen: us}, {at: at(2, 1), seen: us}, {at: at(3, 1), seen: lie}}, "[9.9.9.9]"},
		"half":                              {[]says{{at: at(1, 1), seen: us}, {at: at(2, 1), seen: us}, {at: at(3, 1), seen: lie}, {at: at(4, 1), seen: lie}}, "[]"},
		"many liars of one group":           {[]says{{at: at(1, 1), seen: us}, {at: at(2, 1), seen: us}, {at: at(3, 1), seen: lie}, {at: at(3, 2), seen: lie}, {at: at(3, 3), seen: lie}}, "[9.9.9.9]"},
		"a named one outvoted":              {[]says{{at(1, 1), us, true}, {at: at(2, 1), seen: lie}, {at: at(3, 1), seen: lie}}, "[6.6.6.6]"},
		"a named one and a liar":            {[]says{{at(1, 1), us, true}, {at: at(2, 1), seen: lie}}, "[]"},
		"both IP versions":                  {[]says{{at(1, 1), us, true}, {at(2, 1), us6, true}}, "[9.9.9.9 2606::9]"},
		"observers on the LAN":              {[]says{{"/ip4/10.0.0.1/tcp/1", lie, true}, {"/ip4/127.0.0.1/tcp/1", lie, true}}, "[]"},
		"private addresses":                 {[]says{{at(1, 1), "/ip4/192.168.1.1/tcp/1", true}, {at(2, 1), "/ip4/127.0.0.1/tcp/1", true}}, "[]"},
		"an observer behind a relay":        {[]says{{"/ip4/11.1.0.1/tcp/1/p2p-circuit", us, true}}, "[]"},
		"a relayed address":                 {[]says{{at(1, 1), "/ip4/9.9.9.9/tcp/1/p2p-circuit", true}}, "[]"},
		"an observer in an IPv6 /32 of two": {[]says{{at: "/ip6/2606:1:1::1/tcp/1", seen: us6}, {at: "/ip6/2606:1:2::1/tcp/1", seen: us6}}, "[]"},
	} {
		o := newObservers()
		for i, r := range c.reports {
			o.note(peer.ID(fmt.Sprint(i)), ma.StringCast(r.at), ma.StringCast(r.seen), r.chosen, time.Unix(int64(i), 0))
		}
		if got := fmt.Sprint(o.agreed()); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestObserversAreFewAndForgotten(t *testing.T) {
	o := newObservers()
	now := time.Unix(0, 0)
	note := func(i int, at string) {
		now = now.Add(time.Second)
		o.note(peer.ID(fmt.Sprint(i)), ma.StringCast(at), ma.StringCast("/ip4/9.9.9.9/tcp/1"), false, now)
	}
	note(0, "/ip4/11.200.0.1/tcp/1")
	for i := range 100 {
		note(1000+i, fmt.Sprintf("/ip4/11.201.0.%d/tcp/1", i))
	}
	if len(o.reports) != 1+maxInGroup {
		t.Errorf("%d reports, of which one group has all but one", len(o.reports))
	}
	for i := range 2 * maxReports {
		note(i, fmt.Sprintf("/ip4/11.%d.0.1/tcp/1", i))
	}
	if len(o.reports) != maxReports {
		t.Errorf("%d reports", len(o.reports))
	}
	last := peer.ID(fmt.Sprint(2*maxReports - 1))
	o.refresh(now.Add(sightingLife+time.Minute), func(p peer.ID) bool { return p == last })
	if _, ok := o.reports[last]; !ok || len(o.reports) != 1 {
		t.Errorf("after an hour %d reports are left, want that of the one that is connected", len(o.reports))
	}
	if o.reset(); len(o.reports) != 0 {
		t.Error("a reset left something")
	}
}

func TestThePortOfQUICIsTheOneMostSee(t *testing.T) {
	o := newObservers()
	for i, seen := range []string{
		"/ip4/9.9.9.9/udp/5/quic-v1", "/ip4/9.9.9.9/udp/7/quic-v1", "/ip4/9.9.9.9/udp/7/quic-v1", "/ip4/9.9.9.9/tcp/5",
		"/ip4/9.9.9.9/tcp/5", "/ip4/8.8.8.8/udp/5/quic-v1",
	} {
		o.note(peer.ID(fmt.Sprint(i)), ma.StringCast(fmt.Sprintf("/ip4/11.%d.0.1/tcp/1", i)), ma.StringCast(seen), false, time.Unix(0, 0))
	}
	if got := o.quicPort(netip.MustParseAddr("9.9.9.9")); got != 7 {
		t.Errorf("port %d", got)
	}
	if got := o.quicPort(netip.MustParseAddr("7.7.7.7")); got != 0 {
		t.Errorf("port %d at an address that nobody sees", got)
	}
}

func TestAMachineLosesAnAddressOnlyWhenItIsGone(t *testing.T) {
	lan, lanTCP, loop, other := ma.StringCast("/ip4/10.0.0.7/udp/1/quic-v1"), ma.StringCast("/ip4/10.0.0.7/tcp/1"),
		ma.StringCast("/ip4/127.0.0.1/tcp/1"), ma.StringCast("/ip4/10.0.0.8/tcp/1")
	for i, c := range []struct {
		before, after []ma.Multiaddr
		want          bool
	}{
		{nil, []ma.Multiaddr{lan}, false},
		{[]ma.Multiaddr{lan}, []ma.Multiaddr{lanTCP, other}, false},
		{[]ma.Multiaddr{lan, loop}, []ma.Multiaddr{lan}, false},
		{[]ma.Multiaddr{lan}, []ma.Multiaddr{other}, true},
		{[]ma.Multiaddr{lan}, nil, true},
	} {
		if got := lost(c.before, c.after); got != c.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
}
