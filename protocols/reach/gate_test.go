package reach

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const relayID = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

// outside is a gate of a node at 9.9.9.9 and 2606::/64.
func outside() *Gate {
	g := NewGate(nil)
	g.SetOwn(Own{Public: []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2606::9")}}, false)
	return g
}

// meet is a connection that has proven its far end.
func (g *Gate) meet(dir network.Direction, p peer.ID, remote string) {
	g.InterceptSecured(dir, p, ends{ma.StringCast(remote)})
}

type ends struct{ remote ma.Multiaddr }

func (e ends) LocalMultiaddr() ma.Multiaddr  { return e.remote }
func (e ends) RemoteMultiaddr() ma.Multiaddr { return e.remote }

// dials tells which addresses the gate lets through for p.
func (g *Gate) dials(p peer.ID, all ...string) string {
	var out []string
	for _, a := range all {
		if g.InterceptAddrDial(p, ma.StringCast(a)) {
			out = append(out, a)
		}
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, what, got string, want ...string) {
	t.Helper()
	if w := strings.Join(want, " "); got != w {
		t.Errorf("%s: dials %q, want %q", what, got, w)
	}
}

const (
	lanA, lanB = "/ip4/10.0.0.7/tcp/1", "/ip4/10.0.0.8/tcp/1"
	loop       = "/ip4/127.0.0.1/tcp/1"
	metadata   = "/ip4/169.254.169.254/tcp/80"
	public     = "/ip4/1.1.1.1/tcp/1"
)

func TestWhereNobodyOutsideWasMetEverythingLocalIsDialled(t *testing.T) {
	g := NewGate(nil)
	expect(t, "at first", g.dials("p", lanA, loop, metadata, public), lanA, loop, public)
	g.meet(network.DirInbound, "q", "/ip4/192.168.1.1/tcp/9")
	expect(t, "with a neighbour", g.dials("p", lanA, loop), lanA, loop)
	g.meet(network.DirInbound, "r", "/ip4/8.8.8.8/udp/9/quic-v1/p2p/"+relayID+"/p2p-circuit")
	expect(t, "with a relayed peer, whose address is its relay's", g.dials("p", lanA, loop), lanA, loop)
	g.meet(network.DirInbound, "s", "/ip4/8.8.8.8/tcp/9")
	expect(t, "when somebody outside was met", g.dials("p", lanA, loop, metadata, public), public)
	g.SetOwn(Own{}, true)
	expect(t, "in another network", g.dials("p", lanA, loop), lanA, loop)
	g.SetOwn(Own{Outside: true}, false)
	expect(t, "outside again", g.dials("p", lanA, loop))
}

func TestANeighbourOnThisLinkIsNotOutside(t *testing.T) {
	g := NewGate(nil)
	g.SetOwn(Own{Links: []netip.Prefix{netip.MustParsePrefix("2606::/64"), netip.MustParsePrefix("10.0.0.0/24")}}, false)
	g.meet(network.DirOutbound, "q", "/ip6/2606::7/tcp/9")
	expect(t, "with a public neighbour", g.dials("p", lanA, "/ip4/10.0.0.255/udp/9/quic-v1"), lanA)
}

func TestAMeetingOutsideIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(nil)
		g.meet(network.DirOutbound, "q", "/ip4/8.8.8.8/tcp/9")
		expect(t, "at once", g.dials("p", lanA))
		time.Sleep(outsideFor)
		expect(t, "later", g.dials("p", lanA), lanA)
	})
}

func TestVouchingIsForOnePeerAtOnePlace(t *testing.T) {
	g := outside()
	g.Trust(ByPerson, "p", ma.StringCast(lanA), ma.StringCast(loop))
	expect(t, "the peer", g.dials("p", lanA, lanB, loop, "/ip4/10.0.0.7/udp/5/quic-v1"), lanA, loop, "/ip4/10.0.0.7/udp/5/quic-v1")
	expect(t, "another", g.dials("q", lanA, loop))
	g.Trust(ByPerson, "r", ma.StringCast("/ip4/10.0.0.9/tcp/1/p2p/"+relayID+"/p2p-circuit"))
	relay, err := peer.Decode(relayID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "its relay", g.dials(relay, "/ip4/10.0.0.9/tcp/1"), "/ip4/10.0.0.9/tcp/1")
	expect(t, "through its relay alone", g.dials("r", "/ip4/10.0.0.9/tcp/1"))
	expect(t, "a stranger through it", g.dials("s", "/ip4/10.0.0.9/tcp/1/p2p/"+relayID+"/p2p-circuit"),
		"/ip4/10.0.0.9/tcp/1/p2p/"+relayID+"/p2p-circuit")
}

func TestMDNSAndMemoryVouchForLocalNetworksAlone(t *testing.T) {
	g := outside()
	for _, a := range []string{lanA, loop, metadata} {
		g.Trust(ByLAN, "lan", ma.StringCast(a))
		g.Trust(ByMemory, "memory", ma.StringCast(a))
	}
	expect(t, "mDNS", g.dials("lan", lanA, loop, metadata), lanA)
	expect(t, "memory", g.dials("memory", lanA, loop, metadata), lanA, loop)
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("/ip4/1.1.1.1/tcp/%d", 1+i))
		g.Trust(ByLAN, "lan", ma.StringCast(many[i]))
	}
	if n := len(strings.Fields(g.dials("lan", many...))); n != portsOfPeer {
		t.Errorf("%d ports of a host outside are dialled since mDNS names them", n)
	}
}

func TestAFloodOfTrustLeavesOtherVouchersAlone(t *testing.T) {
	g := outside()
	g.Trust(ByPerson, "p", ma.StringCast(lanA))
	for i := range 3 * maxVouched {
		g.Trust(ByLAN, peer.ID(fmt.Sprint(i)), ma.StringCast(lanA))
	}
	expect(t, "whom a person named", g.dials("p", lanA), lanA)
	expect(t, "the first of the flood", g.dials("0", lanA))
	if n := g.vouched[ByLAN].order.Len(); n != maxVouched || len(g.vouched[ByLAN].at) != n {
		t.Errorf("%d are remembered", n)
	}
}

func TestWhomThisNodeHasReachedThereIsDialledThere(t *testing.T) {
	g := outside()
	g.meet(network.DirInbound, "in", lanA)
	g.meet(network.DirOutbound, "out", lanA)
	expect(t, "an incoming connection, maybe by a proxy", g.dials("in", lanA))
	expect(t, "one made from here", g.dials("out", lanA, lanB), lanA)
}

func TestWhoSharesAPublicAddressIsANeighbour(t *testing.T) {
	for what, at := range map[string]string{"IPv4": "/ip4/9.9.9.9/tcp/7", "IPv6": "/ip6/2606::7/tcp/7"} {
		t.Run(what, func(t *testing.T) {
			g := outside()
			g.meet(network.DirInbound, "connected", at)
			g.sighted("seen", []ma.Multiaddr{ma.StringCast(at)})
			g.sighted("elsewhere", []ma.Multiaddr{ma.StringCast("/ip4/9.9.9.8/tcp/7"), ma.StringCast("/ip6/2606:0:0:1::9/tcp/7")})
			g.sighted("relayed", []ma.Multiaddr{ma.StringCast(at + "/p2p/" + relayID + "/p2p-circuit")})
			for p, want := range map[peer.ID]string{"connected": lanA, "seen": lanA, "elsewhere": "", "relayed": ""} {
				expect(t, string(p), g.dials(p, lanA, loop, metadata), strings.Fields(want)...)
			}
			g.SetOwn(Own{Outside: true}, false)
			expect(t, "when that address is gone", g.dials("seen", lanB))
		})
	}
}

func TestBeingSeenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outside()
		g.sighted("p", []ma.Multiaddr{ma.StringCast("/ip4/9.9.9.9/tcp/7")})
		time.Sleep(seenFor + time.Second)
		expect(t, "later", g.dials("p", lanA))
	})
}

func TestALocalNetworkCannotBeScannedByANeighbour(t *testing.T) {
	g := outside()
	dialled := 0
	for i := range 200 {
		p := peer.ID(fmt.Sprint("ground", i))
		g.sighted(p, []ma.Multiaddr{ma.StringCast("/ip4/9.9.9.9/tcp/7")})
		for port := range 20 {
			if g.InterceptAddrDial(p, ma.StringCast(fmt.Sprintf("/ip4/10.0.0.%d/tcp/%d", 1+i, 1+port))) {
				dialled++
			}
		}
	}
	if dialled != localDials {
		t.Errorf("%d private addresses are dialled for ground neighbours, want %d", dialled, localDials)
	}
}

func TestOneVictimIsDialledAFewTimesForManyStrangers(t *testing.T) {
	g := outside()
	dialled := 0
	for i := range 500 {
		for _, a := range []string{"/ip4/1.1.1.1/tcp/%d", "/ip6/64:ff9b::101:101/tcp/1%d", "/ip6/::ffff:1.1.1.1/udp/%d/quic-v1"} {
			if g.InterceptAddrDial(peer.ID(fmt.Sprint(i)), ma.StringCast(fmt.Sprintf(a, 1+i))) {
				dialled++
			}
		}
	}
	if dialled != dialsOfIP {
		t.Errorf("%d dials at one victim, want %d", dialled, dialsOfIP)
	}
	g.meet(network.DirOutbound, "1", "/ip4/1.1.1.1/tcp/2")
	expect(t, "who answered there", g.dials("1", "/ip4/1.1.1.1/tcp/2"), "/ip4/1.1.1.1/tcp/2")
}

func TestNamesAreDialledOnlyResolved(t *testing.T) {
	g := outside()
	const name, through = "/dns4/victim.example/tcp/1", "/dns4/relay.example/tcp/1/p2p/" + relayID + "/p2p-circuit"
	expect(t, "a name", g.dials("p", name, "/dnsaddr/victim.example", through), through)
	if _, ok := g.named("p", ma.StringCast(name)); ok {
		t.Error("a stranger's name is vouched for")
	}
	g.Trust(ByLAN, "p", ma.StringCast(name))
	if _, ok := g.named("p", ma.StringCast(name)); ok {
		t.Error("mDNS vouches for a name")
	}
	g.Trust(ByPerson, "p", ma.StringCast(name))
	if by, ok := g.named("p", ma.StringCast(name)); !ok || by != ByPerson {
		t.Error("a name that a person typed is not vouched for")
	}
}

func TestRefusalsSayWhyAndWhatNext(t *testing.T) {
	g := outside()
	for a, words := range map[string][3]string{
		lanA:                         {"forbidden", "10.0.0.7 is a private address named by a stranger: not tried", "mDNS"},
		"/ip6/::ffff:a00:7/tcp/1":    {"forbidden", "10.0.0.7 is a private address", "ticket"},
		loop:                         {"forbidden", "127.0.0.1 is on this machine", "--join"},
		metadata:                     {"forbidden", "169.254.169.254 answers for the cloud", ""},
		"/ip4/224.0.0.1/tcp/1":       {"forbidden", "224.0.0.1 is not the address of one node", ""},
		"/dns4/victim.example/tcp/1": {"forbidden", "victim.example is a name", ""},
	} {
		err := g.refusal("p", ma.StringCast(a))
		if wire.CodeOf(err).String() != words[0] || !strings.Contains(err.Error(), words[1]) || !strings.Contains(wire.NextOf(err), words[2]) {
			t.Errorf("%s: %s: %v; next: %s", a, wire.CodeOf(err), err, wire.NextOf(err))
		}
	}
	for i := range 2 * portsOfPeer {
		g.InterceptAddrDial("p", ma.StringCast(fmt.Sprintf("/ip4/1.1.1.1/tcp/%d", 1+i)))
	}
	err := g.refusal("p", ma.StringCast("/ip4/1.1.1.1/tcp/999"))
	if wire.CodeOf(err) != wire.Busy || wire.NextOf(err) == "" {
		t.Errorf("beyond the budget: %v; next: %s", err, wire.NextOf(err))
	}
}

// no is a gater that forbids everything.
type no struct{}

func (no) InterceptPeerDial(peer.ID) bool               { return false }
func (no) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return false }
func (no) InterceptAccept(network.ConnMultiaddrs) bool  { return false }
func (no) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return false
}
func (no) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return false, 7 }

func TestAnEmbeddersGaterIsAsked(t *testing.T) {
	g := NewGate(no{})
	upgraded, why := g.InterceptUpgraded(nil)
	for what, allowed := range map[string]bool{
		"peer": g.InterceptPeerDial("p"), "address": g.InterceptAddrDial("p", ma.StringCast(public)),
		"accept": g.InterceptAccept(ends{}), "secured": g.InterceptSecured(network.DirInbound, "p", ends{}), "upgraded": upgraded,
	} {
		if allowed {
			t.Errorf("%s: the embedder's gater was not asked", what)
		}
	}
	if why != 7 {
		t.Errorf("reason %d", why)
	}
}
