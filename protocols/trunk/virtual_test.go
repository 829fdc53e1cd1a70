package trunk_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const rtt = 50 * time.Millisecond

// cable is a virtual network that can be cut.
type cable struct {
	sim *simnet.Simnet
	cut atomic.Bool
}

// inVirtualTime runs a test in virtual time on a virtual network of QUIC.
func inVirtualTime(t *testing.T, f func(t *testing.T, c *cable)) {
	synctest.Test(t, func(t *testing.T) {
		c := new(cable)
		c.sim = &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: func(*simnet.Packet) time.Duration {
			if c.cut.Load() {
				return 1000 * time.Hour
			}
			return rtt / 2
		}}
		c.sim.Start()
		t.Cleanup(func() {
			c.sim.Close()
			synctest.Wait()
		})
		f(t, c)
	})
}

// node starts a node at ip.
func (c *cable) node(t *testing.T, ip string, cfg trunk.Config) node {
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	return newNode(t, cfg, libp2p.ListenAddrStrings("/ip4/"+ip+"/udp/8000/quic-v1"),
		simlibp2p.QUICSimnet(c.sim, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}))
}

// world runs a test with two nodes, the guests of the second, and a path.
func world(t *testing.T, cfg trunk.Config, f func(t *testing.T, c *cable, a, b node, p reach.Path, g guests)) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		g := make(guests, 100)
		cfg.Accept = g.accept
		a, b := c.node(t, "1.0.0.1", trunk.Config{Limits: cfg.Limits}), c.node(t, "1.0.0.2", cfg)
		p := path(t, a, b)
		time.Sleep(time.Second) // identify is over
		f(t, c, a, b, p, g)
	})
}

// talk makes a leg on which both sides have spoken.
func talk(t *testing.T, a node, p reach.Path, g guests, own bool) (here, there *player) {
	here = newPlayer()
	here.on(attach(t, a, p, here, own))
	here.play([]byte("hello"))
	there = <-g
	there.play([]byte("welcome"))
	here.hears(t, []byte("welcome"))
	return here, there
}

func TestFirstFrameTakesHalfARoundTrip(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, _ *cable, a, _ node, p reach.Path, g guests) {
		for i, want := range []string{"on a new carrier", "on a warm one"} {
			start := time.Now()
			here := newPlayer()
			here.on(attach(t, a, p, here, false))
			here.play([]byte("x"))
			<-g
			if took := time.Since(start); took < rtt/2 || took > rtt/2+time.Millisecond {
				t.Errorf("leg %d, %s: %v", i, want, took)
			}
		}
	})
}

func TestSeenComesWithin25Milliseconds(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, _ *cable, a, _ node, p reach.Path, g guests) {
		here := newPlayer()
		here.on(attach(t, a, p, here, false))
		here.play(make([]byte, 100))
		time.Sleep(rtt + 24*time.Millisecond)
		if c := a.trunks.Carriers()[0]; c.Seen != 0 || c.Sent != 103 {
			t.Errorf("early: %+v", c)
		}
		time.Sleep(3 * time.Millisecond)
		if c := a.trunks.Carriers()[0]; c.Seen != 103 {
			t.Errorf("late: %+v", c)
		}
	})
}

func TestDeadPathIsNoticedWithinFiveSecondsWhileSomethingIsUnderWay(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, c *cable, a, b node, p reach.Path, g guests) {
		here, _ := talk(t, a, p, g, false)
		time.Sleep(time.Second)
		c.cut.Store(true)
		start := time.Now()
		here.play([]byte("?"))
		err := here.cause()
		if took := time.Since(start); took != 4500*time.Millisecond || p.Live() {
			t.Errorf("noticed after %v: %v; path live: %v", took, err, p.Live())
		}
	})
}

func TestDeadPathIsNoticedWithin25SecondsWhenIdle(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, c *cable, a, b node, p reach.Path, g guests) {
		here, there := talk(t, a, p, g, false)
		time.Sleep(time.Second)
		c.cut.Store(true)
		start := time.Now()
		for _, o := range []*player{here, there} {
			err := o.cause()
			if took := time.Since(start); took < 20*time.Second || took > 25*time.Second {
				t.Errorf("noticed after %v: %v", took, err)
			}
		}
	})
}

func TestIdleLegsLive(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, c *cable, a, b node, p reach.Path, g guests) {
		here, there := talk(t, a, p, g, false)
		time.Sleep(10 * time.Minute)
		here.play([]byte("still there?"))
		there.until(func() bool { return len(there.got) > 5 })
		if len(here.lost) > 0 {
			t.Error(here.lost)
		}
	})
}

func TestCarrierWithoutLegsIsClosed(t *testing.T) {
	for own, want := range map[bool]time.Duration{false: time.Minute, true: 0} {
		world(t, trunk.Config{}, func(t *testing.T, _ *cable, a, b node, p reach.Path, g guests) {
			here, there := talk(t, a, p, g, own)
			here.leg.Release()
			there.cause()
			time.Sleep(rtt / 2)
			time.Sleep(want - time.Second)
			if n := len(a.trunks.Carriers()); want > 0 && n != 1 {
				t.Errorf("own %v: %d carriers before their time", own, n)
			}
			time.Sleep(2 * time.Second)
			if n, m := len(a.trunks.Carriers()), len(b.trunks.Carriers()); n+m != 0 {
				t.Errorf("own %v: %d and %d carriers are left", own, n, m)
			}
			if s, r := a.trunks.Stats(), b.trunks.Stats(); s.Violations+r.Violations > 0 {
				t.Errorf("%+v, %+v", s, r)
			}
			talk(t, a, p, g, own) // on a new one
		})
	}
}

func TestLegThatCrossesGoAwayLives(t *testing.T) {
	world(t, trunk.Config{Limits: trunk.Limits{Idle: 10 * time.Second}}, func(t *testing.T, _ *cable, a, b node, p reach.Path, g guests) {
		here, there := talk(t, a, p, g, false)
		here.leg.Release()
		there.cause()
		// b's minute began rtt/2 after a's; a's GOAWAY is on its way when b opens.
		time.Sleep(10*time.Second + rtt/4)
		h := newPlayer()
		h.on(attach(t, b, b.reach.Paths(a.host.ID())[0], h, false))
		h.play([]byte("x"))
		if err := h.cause(); wire.CodeOf(err) != wire.Unsupported { // a takes no legs: it has answered
			t.Errorf("%v", err)
		}
	})
}

func TestCarrierStuckInAFrameEndsThoughThePathLives(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, c *cable, a, b node, p reach.Path, g guests) {
		s := liar(t, a, p)
		defer s.Reset()
		write(t, s, hello, open1(a, b), []byte{byte(handle(a, b)), 16, 100, 'x'})
		there := <-g
		start := time.Now()
		err := there.cause()
		if took := time.Since(start); wire.CodeOf(err) != wire.Timeout || took < 30*time.Second || took > 40*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if !p.Live() {
			t.Error("the path was closed")
		}
	})
}

func TestDatagramsFlyOnQUIC(t *testing.T) {
	world(t, trunk.Config{}, func(t *testing.T, c *cable, a, b node, p reach.Path, g guests) {
		here, there := talk(t, a, p, g, false)
		datagrams(t, here, there)
		start := time.Now()
		c.cut.Store(true)
		for range 1000 { // nobody waits
			if err := here.leg.SendDatagram(make([]byte, trunk.MaxDatagram)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("sending took %v", took)
		}
		if a.trunks.Stats().DatagramsDropped == 0 {
			t.Error("none was dropped")
		}
	})
}

// datagrams sends some each way.
func datagrams(t *testing.T, here, there *player) {
	for _, way := range [][2]*player{{here, there}, {there, here}} {
		for _, text := range []string{"a", string(make([]byte, way[0].leg.MaxDatagram()))} {
			if err := way[0].leg.SendDatagram([]byte(text)); err != nil {
				t.Fatal(err)
			}
			way[1].until(func() bool { return len(way[1].datagrams) > 0 })
			if way[1].datagrams[0] != text {
				t.Errorf("%d bytes came", len(way[1].datagrams[0]))
			}
			way[1].datagrams = nil
		}
	}
	if err := here.leg.SendDatagram(make([]byte, trunk.MaxDatagram+1)); wire.CodeOf(err) != wire.TooLarge {
		t.Error(err)
	}
}
