package reach_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// behind are two nodes, each behind a firewall that lets in only what was
// sent for, and a relay on which the second has a reservation.
type behind struct {
	*cable
	a, b, relay node
	via         ma.Multiaddr // b's address on the relay
}

const (
	ipA, ipB, ipRelay = "1.0.0.1", "1.0.0.2", "1.0.0.3"
)

// punching says which of two nodes take part in hole punching.
type punching struct{ a, b bool }

// firewalls sets the scene for f.
func firewalls(who punching, limit *relay.RelayLimit, f func(t *testing.T, w behind)) func(*testing.T, *cable) {
	return func(t *testing.T, c *cable) {
		w := behind{cable: c}
		w.relay = c.node(t, ipRelay, reach.Config{}, libp2p.EnableRelayService(relay.WithLimit(limit)), libp2p.ForceReachabilityPublic())
		w.a, w.b = w.start(t, ipA, who.a), w.start(t, ipB, who.b)
		at := peer.AddrInfo{ID: w.relay.ID(), Addrs: w.relay.Host.Addrs()}
		if err := w.b.Connect(within(t), at); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Reserve(within(t), w.b.Host, at); err != nil {
			t.Fatal(err)
		}
		w.via = at.Addrs[0].Encapsulate(ma.StringCast("/p2p/" + w.relay.ID().String() + "/p2p-circuit"))
		w.dropping(firewalled(ipA, ipB))
		time.Sleep(time.Second) // the hole punching services have begun
		f(t, w)
	}
}

// start starts a node that punches holes or does not.
func (w behind) start(t *testing.T, ip string, punches bool) node {
	opts := []libp2p.Option{libp2p.EnableRelay()}
	cfg := reach.Config{Punches: new(reach.Punches)}
	if punches {
		opts = append(opts, libp2p.EnableHolePunching(holepunch.WithTracer(cfg.Punches), holepunch.DirectDialTimeout(3*time.Second)))
	}
	return w.node(t, ip, cfg, opts...)
}

// want is what a wants of b, whose address and relay are known.
func (w behind) want() reach.Want {
	return reach.Want{Peer: w.b.ID(), Addrs: append(w.b.Host.Addrs(), w.via), Explicit: true}
}

func TestRelayedPathComesAtOnceAndADirectOneBesideIt(t *testing.T) {
	inVirtualTime(t, firewalls(punching{true, true}, nil, func(t *testing.T, w behind) {
		want := w.want()
		want.AllowRelay = true
		begun := time.Now()
		first := w.a.path(t, want)
		if took := time.Since(begun); first.Direct() || took > 500*time.Millisecond+10*rtt {
			t.Fatalf("%s after %v, want the relay's", first.Remote(), took)
		}
		s := open(t, first)
		say(t, s, "through the relay")
		news := w.a.Watch(t.Context(), reach.Want{Peer: w.b.ID(), AllowRelay: true})
		<-news // the relayed one
		better := <-news
		if !better.Direct() || time.Since(begun) > reach.PunchTime {
			t.Fatalf("%s after %v, want a direct path", better.Remote(), time.Since(begun))
		}
		if next := w.a.path(t, want); next != better {
			t.Errorf("what is opened next takes %s", next.Remote())
		}
		say(t, s, "the relayed path is still there")
		say(t, open(t, better), "direct")
	}))
}

func TestDirectOnlyIsPunchedAndNeverRelayed(t *testing.T) {
	for _, want := range []reach.Want{{}, {AllowRelay: true, PreferDirect: true}, {Transport: reach.QUIC}} {
		inVirtualTime(t, firewalls(punching{true, true}, nil, func(t *testing.T, w behind) {
			want.Peer, want.Addrs, want.Explicit = w.b.ID(), w.want().Addrs, true
			begun := time.Now()
			p, attempts, err := w.a.Path(t.Context(), want)
			if err != nil {
				t.Fatalf("%+v: %v", want, err)
			}
			if last := attempts[len(attempts)-1]; !p.Direct() || !last.Punch || last.Err != nil || !last.Addr.Equal(p.Remote()) {
				t.Errorf("%+v: %s, attempts %+v", want, p.Remote(), attempts)
			}
			if took := time.Since(begun); took > reach.PunchTime+5*time.Second {
				t.Errorf("punched after %v", took)
			}
			say(t, open(t, p), "direct")
		}))
	}
}

func TestPunchThatFailsIsToldWithItsCause(t *testing.T) {
	for _, who := range []punching{{true, true}, {true, false}, {false, true}} {
		inVirtualTime(t, firewalls(who, nil, func(t *testing.T, w behind) {
			w.dropping(between(ipA, ipB)) // no hole can be punched
			begun := time.Now()
			_, attempts, err := w.a.Path(t.Context(), w.want())
			var d *reach.DialError
			if !errors.As(err, &d) || !strings.Contains(err.Error(), "hole punching did not succeed: ") || wire.NextOf(err) == "" {
				t.Errorf("%+v: %v (next %q)", who, err, wire.NextOf(err))
			}
			if last := attempts[len(attempts)-1]; !last.Punch || last.Err == nil || len(attempts) < 2 {
				t.Errorf("attempts %+v", attempts)
			}
			if took := time.Since(begun); took > reach.PunchTime+reach.DefaultDialTimeout {
				t.Errorf("told after %v", took)
			}

			prefer := w.want()
			prefer.AllowRelay, prefer.PreferDirect = true, true
			begun = time.Now()
			p := w.a.path(t, prefer)
			if p.Direct() || time.Since(begun) > reach.PreferTime+time.Second {
				t.Errorf("%+v: %s after %v, want the relay's", who, p.Remote(), time.Since(begun))
			}
			say(t, open(t, p), "through the relay")
		}))
	}
}

func TestNextPunchComesOfANewRelayedConnection(t *testing.T) {
	inVirtualTime(t, firewalls(punching{true, true}, nil, func(t *testing.T, w behind) {
		w.dropping(between(ipA, ipB))
		if _, _, err := w.a.Path(t.Context(), w.want()); err == nil {
			t.Fatal("a direct path through a wall")
		}
		time.Sleep(reach.PunchTime) // the far side has given up as well
		w.dropping(firewalled(ipA, ipB))
		if p := w.a.path(t, w.want()); !p.Direct() {
			t.Errorf("path over %s", p.Remote())
		}
	}))
}

func TestFarSideThatCannotPunchIsDialledBesideTheRelay(t *testing.T) {
	inVirtualTime(t, firewalls(punching{true, false}, nil, func(t *testing.T, w behind) {
		wall, until := between(ipA, ipB), time.Now().Add(2*time.Second)
		w.dropping(func(from, to netip.AddrPort) bool { return time.Now().Before(until) && wall(from, to) })
		if p := w.a.path(t, w.want()); !p.Direct() {
			t.Errorf("path over %s", p.Remote())
		}
	}))
}

func TestImproveGoesOnUntilAPathIsDirect(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		w.dropping(between(ipA, ipB))
		want := w.want()
		want.AllowRelay = true
		w.a.path(t, want)
		news := w.a.Watch(t.Context(), reach.Want{Peer: w.b.ID(), AllowRelay: true})
		if p := <-news; p.Direct() {
			t.Fatal("direct through a wall")
		}
		time.Sleep(time.Minute)
		w.dropping(nil)
		begun := time.Now()
		if p := <-news; !p.Direct() || time.Since(begun) > 2*time.Minute {
			t.Errorf("%s after %v", p.Remote(), time.Since(begun))
		}
		synctest.Wait()
	}))
}

func TestRequiredRelayIsDialledByTheSwarm(t *testing.T) {
	inVirtualTime(t, firewalls(punching{true, true}, nil, func(t *testing.T, w behind) {
		p := w.a.path(t, reach.Want{Peer: w.b.ID(), Addrs: []ma.Multiaddr{w.via}, Transport: reach.Relay})
		if p.Direct() || w.a.Adopted(p.Conn()) {
			t.Fatalf("%s, adopted %v", p.Remote(), w.a.Adopted(p.Conn()))
		}
		news := w.a.Watch(t.Context(), reach.Want{Peer: w.b.ID(), AllowRelay: true})
		for p := range news { // it is punched like any other
			if p.Direct() {
				return
			}
		}
	}))
}
