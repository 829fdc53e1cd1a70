package reach_test

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestDisturbanceClosesWhatLostItsAddressAndProbesTheRest(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a := c.node(t, "1.0.0.1", reach.Config{})
		told := a.Disturbed(t.Context())
		var paths []reach.Path
		for _, ip := range []string{"1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5"} {
			b := c.node(t, ip, reach.Config{})
			paths = append(paths, a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()}))
		}
		silent, held, living := paths[0], paths[1], paths[2]
		a.Hold(held.Peer())
		time.Sleep(time.Second)
		toHeld := between("1.0.0.1", "1.0.0.3")
		toSilent := between("1.0.0.1", "1.0.0.2")
		c.dropping(func(from, to netip.AddrPort) bool { return toHeld(from, to) || toSilent(from, to) })
		a.Disturb(reach.Disturbance{Slept: time.Hour})
		if d := <-told; d.Slept != time.Hour || d.Changed {
			t.Errorf("told %+v", d)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if held.Live() || silent.Live() || !living.Live() {
			t.Errorf("after 4 s: held one live %v, silent one %v, living one %v", held.Live(), silent.Live(), living.Live())
		}
		a.Disturb(reach.Disturbance{Changed: true, Gone: []netip.Addr{netip.MustParseAddr("9.9.9.9")}})
		if !living.Live() {
			t.Error("a path from another address was closed")
		}
		a.Disturb(reach.Disturbance{Changed: true, Gone: []netip.Addr{netip.MustParseAddr("1.0.0.1")}})
		if len(a.Connected()) != 0 {
			t.Error("a path from an address that is gone was not closed at once")
		}
		if d := <-told; !d.Changed || d.Slept != 0 || len(d.Gone) != 2 { // both together
			t.Errorf("told %+v", d)
		}
	})
}

func TestManyPathsAreProbedAFewAtATime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a := c.node(t, "1.0.0.1", reach.Config{})
		for i := range 40 { // more than are probed at a time
			b := c.node(t, netip.AddrFrom4([4]byte{1, 1, 0, byte(i + 1)}).String(), reach.Config{})
			a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		}
		time.Sleep(time.Second)
		c.dropping(func(_, to netip.AddrPort) bool { return to.Addr() == netip.MustParseAddr("1.0.0.1") })
		a.Disturb(reach.Disturbance{Slept: time.Hour})
		for _, want := range []int{8, 0} {
			time.Sleep(4 * time.Second)
			synctest.Wait()
			if got := len(a.Connected()); got != want {
				t.Errorf("%d paths left, want %d", got, want)
			}
		}
	})
}

func TestDisturbanceForgetsBackoffsAndBeginsDialsAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
		c.dropping(between("1.0.0.1", "1.0.0.2"))
		w := reach.Want{Peer: b.ID(), Addrs: b.Addrs()}
		if _, _, err := a.Path(t.Context(), w); err == nil {
			t.Fatal("a path through a wall")
		}
		start := time.Now()
		if _, _, err := a.Path(t.Context(), w); err == nil || time.Since(start) != 0 {
			t.Fatalf("%v after %v, want the back-off to hold it back", err, time.Since(start))
		}
		a.Disturb(reach.Disturbance{Changed: true})
		for _, explicit := range []bool{false, true} { // by the swarm, and beside it
			start = time.Now()
			time.AfterFunc(4*time.Second, func() {
				c.dropping(nil)
				a.Disturb(reach.Disturbance{Changed: true})
			})
			w.Explicit, w.Only = explicit, explicit
			p := a.path(t, w) // what is sent before is lost, and repeated at growing intervals
			if took := time.Since(start); took > 4*time.Second+4*rtt {
				t.Errorf("path after %v", took)
			}
			_ = p.Close()
			c.dropping(between("1.0.0.1", "1.0.0.2"))
			time.Sleep(time.Minute)
		}
	})
}

func TestDisturbedEndsWithItsContextAndTheReach(t *testing.T) {
	a := newNode(t, nil)
	ctx, cancel := contextFor(t, 0)
	defer cancel()
	if _, open := <-a.Disturbed(ctx); open {
		t.Error("told something")
	}
	waiting := a.Disturbed(t.Context())
	if err := a.Reach.Close(); err != nil {
		t.Fatal(err)
	}
	a.Disturb(reach.Disturbance{Slept: time.Minute})
	for _, told := range []<-chan reach.Disturbance{waiting, a.Disturbed(t.Context())} {
		if _, open := <-told; open {
			t.Error("a closed Reach tells")
		}
	}
}

// TestDisturbanceHasTheHostLookAtItsAddresses gives a host an address when it
// looks again, which by itself it does every 5 s.
func TestDisturbanceHasTheHostLookAtItsAddresses(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		var moved atomic.Bool
		other := ma.StringCast("/ip4/2.0.0.1/udp/8000/quic-v1")
		a := c.node(t, "1.0.0.1", reach.Config{}, func(cfg *libp2p.Config) error {
			cfg.AddrsFactory = func(addrs []ma.Multiaddr) []ma.Multiaddr {
				if moved.Load() {
					addrs = []ma.Multiaddr{other}
				}
				return reach.HideAdopted(addrs)
			}
			return nil
		})
		sub, err := a.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		time.Sleep(time.Second)
		for len(sub.Out()) > 0 {
			<-sub.Out()
		}
		moved.Store(true)
		start, listening := time.Now(), len(a.Network().ListenAddresses())
		a.Disturb(reach.Disturbance{Changed: true})
		<-sub.Out()
		if took := time.Since(start); took != 0 || !slices.ContainsFunc(a.Host.Addrs(), other.Equal) {
			t.Errorf("after %v the host is at %s", took, a.Host.Addrs())
		}
		if got := len(a.Network().ListenAddresses()); got != listening {
			t.Errorf("%d listeners, want %d", got, listening)
		}
	})
}

func TestLoopbackIsNeverGone(t *testing.T) {
	for _, tr := range []reach.Transport{reach.TCP, reach.WS, reach.QUIC} {
		a, b := newNode(t, nil), newNode(t, []reach.Transport{tr})
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(tr), Transport: tr})
		a.Disturb(reach.Disturbance{Changed: true, Gone: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
		if !p.Live() {
			t.Errorf("%s: closed", tr)
		}
	}
}

func TestKeepImprovesAPathThatTheFarSideDialled(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		w.dropping(between(ipA, ipB))
		release := w.b.Keep(reach.Want{Peer: w.a.ID(), Addrs: w.a.Addrs()})
		circuit := w.a.path(t, reach.Want{Peer: w.b.ID(), Addrs: []ma.Multiaddr{w.via}, Transport: reach.Relay})
		if circuit.Direct() {
			t.Fatal("direct through a wall")
		}
		news := w.b.Watch(t.Context(), reach.Want{Peer: w.a.ID()})
		time.Sleep(10 * time.Minute) // tries are minutes apart by now
		w.dropping(nil)
		w.b.Disturb(reach.Disturbance{Changed: true})
		begun := time.Now()
		direct := <-news
		if took := time.Since(begun); took > 4*rtt {
			t.Errorf("direct after %v", took)
		}
		w.dropping(between(ipA, ipB))
		_ = direct.Close()
		time.Sleep(time.Minute)
		w.dropping(nil)
		begun = time.Now()
		direct = <-news // though nobody asked for a path
		if took := time.Since(begun); took > 2*time.Minute {
			t.Errorf("direct again after %v", took)
		}
		release()
		release()
		w.dropping(between(ipA, ipB))
		_ = direct.Close()
		time.Sleep(time.Minute)
		w.dropping(nil)
		time.Sleep(time.Hour)
		if paths := w.b.Paths(w.a.ID()); len(paths) != 1 || paths[0].Direct() {
			t.Errorf("%d paths; nobody cares any more", len(paths))
		}
	}))
}

func TestAThousandWatchesAreCheap(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, []reach.Transport{reach.TCP, reach.QUIC})
	for range 1000 {
		a.Watch(t.Context(), reach.Want{Peer: test.RandPeerIDFatal(t), AllowRelay: true})
	}
	quic := a.Watch(t.Context(), reach.Want{Peer: b.ID(), Transport: reach.QUIC})
	best := a.Watch(t.Context(), reach.Want{Peer: b.ID()})
	first := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Transport: reach.TCP})
	if got := <-best; got != first {
		t.Errorf("told of %v", got)
	}
	second := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC), Transport: reach.QUIC})
	if got := <-quic; got != second {
		t.Errorf("who waits for QUIC was told of %v", got)
	}
	select {
	case got := <-best:
		t.Errorf("told of %v, which is no better", got)
	default:
	}
}
