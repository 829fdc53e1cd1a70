package reach_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestDeadPathIsClosedWithinFiveSecondsAndReplaced(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
		w := reach.Want{Peer: b.ID(), Addrs: b.Addrs(), Explicit: true}
		old := a.path(t, w)
		time.Sleep(time.Second) // identify is over
		c.dropping(between("1.0.0.1", "1.0.0.2"))
		start := time.Now()
		first, again := a.Doubt(old), a.Doubt(old)
		if first != again {
			t.Error("one path is probed twice at a time")
		}
		<-first
		if took := time.Since(start); old.Live() || took != 4*time.Second {
			t.Errorf("silent path: live %v after %v", old.Live(), took)
		}
		if len(a.Paths(b.ID())) != 0 || a.Network().Connectedness(b.ID()) == network.Connected {
			t.Error("the swarm still has the dead path")
		}
		c.dropping(nil)
		say(t, open(t, a.path(t, w)), "on a new path")
		if <-a.Doubt(old); old.Live() {
			t.Error("a dead path came back")
		}
	})
}

func TestEveryDeadPathToAPeerIsClosedAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
		a.Peerstore().AddAddrs(b.ID(), b.Addrs(), time.Hour)
		b.Peerstore().AddAddrs(a.ID(), a.Addrs(), time.Hour)
		dialled := make(chan reach.Path)
		go func() { dialled <- b.path(t, reach.Want{Peer: a.ID(), Addrs: a.Addrs(), Explicit: true}) }()
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs(), Explicit: true})
		<-dialled
		time.Sleep(time.Second)
		if n := len(a.Paths(b.ID())); n != 2 {
			t.Fatalf("%d paths, though both sides dialled at once", n)
		}
		c.dropping(between("1.0.0.1", "1.0.0.2"))
		start := time.Now()
		<-a.Doubt(p)
		synctest.Wait()
		if n, took := len(a.Paths(b.ID())), time.Since(start); n != 0 || took != 4*time.Second {
			t.Errorf("%d paths are left %v after one was doubted", n, took)
		}
	})
}

func TestDoubtLeavesALivingPathAlone(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		time.Sleep(time.Second)
		start := time.Now()
		<-a.Doubt(p)
		if took := time.Since(start); !p.Live() || took < rtt || took > 2*rtt {
			t.Errorf("live %v after %v", p.Live(), took)
		}
	})
}

func TestStalledReadersDoNotMakeAPathDead(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		b.Handle("/test/unread/1", func(s network.Stream) { <-t.Context().Done(); _ = s.Reset() })
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		for range 3 { // more than the connection's window
			s, err := p.OpenStream(t.Context(), "/test/unread/1")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			_ = s.SetWriteDeadline(time.Now().Add(20 * time.Second))
			if n, err := s.Write(make([]byte, 32<<20)); err == nil {
				t.Fatalf("%d bytes written to one who does not read", n)
			}
		}
		for range 3 {
			if <-a.Doubt(p); !p.Live() {
				t.Fatal("a path that flow control holds was judged dead")
			}
		}
	})
}

func TestSilenceOnANewStreamPutsThePathInDoubt(t *testing.T) {
	for name, givesUp := range map[string]func(s network.Stream){
		"deadline": func(s network.Stream) {
			_ = s.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = s.Read(make([]byte, 1))
		},
		"reset": func(s network.Stream) { time.Sleep(time.Second); _ = s.Reset() },
		"close": func(s network.Stream) { _ = s.Close() },
	} {
		inVirtualTime(t, func(t *testing.T, c *cable) {
			a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
			p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
			time.Sleep(time.Second)
			c.dropping(between("1.0.0.1", "1.0.0.2"))
			s, err := p.OpenStream(t.Context(), echoID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			givesUp(s)
			if <-a.Doubt(p); p.Live() { // joins the probe that is under way
				t.Errorf("%s: the silent path is still there", name)
			}
		})
	}
}

func TestSlowApplicationDoesNotPutThePathInDoubt(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		b.Handle("/test/slow/1", func(s network.Stream) { _, _ = io.Copy(io.Discard, s); _ = s.Reset() })
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		s, err := p.OpenStream(t.Context(), "/test/slow/1")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Reset()
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = s.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := s.Read(make([]byte, 1)); wire.CodeOf(err) != wire.Timeout || !p.Live() {
			t.Errorf("%v, live %v", err, p.Live())
		}
	})
}

// TestSilenceIsNoticedWithinFiveSeconds is what whoever sends relies on: it
// doubts half a second, or three round trips, after the oldest byte that is
// not acknowledged, and a second after it at the latest.
func TestSilenceIsNoticedWithinFiveSeconds(t *testing.T) {
	for doubted, want := range map[time.Duration]time.Duration{
		500 * time.Millisecond: 4500 * time.Millisecond,
		time.Second:            5 * time.Second,
	} {
		inVirtualTime(t, func(t *testing.T, c *cable) {
			a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
			p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
			s := open(t, p)
			say(t, s, "hello")
			c.dropping(between("1.0.0.1", "1.0.0.2"))
			start := time.Now()
			if _, err := s.Write([]byte("nobody hears this")); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(doubted, func() { a.Doubt(p) })
			_, err := s.Read(make([]byte, 1)) // has its own deadline of 20 s
			if took := time.Since(start); took != want || wire.CodeOf(err) != wire.Unreachable {
				t.Errorf("doubted after %v: %v after %v, want %v", doubted, err, took, want)
			}
		})
	}
}

func TestShortOutageDoesNotKillAPath(t *testing.T) {
	for _, outage := range []time.Duration{rtt, 500 * time.Millisecond, 1500 * time.Millisecond, 2900 * time.Millisecond} {
		inVirtualTime(t, func(t *testing.T, c *cable) {
			a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
			p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
			time.Sleep(time.Second)
			c.dropping(between("1.0.0.1", "1.0.0.2"))
			time.AfterFunc(outage, func() { c.dropping(nil) })
			start := time.Now()
			<-a.Doubt(p)
			// The next ping after the outage is answered.
			if took := time.Since(start); !p.Live() || took > outage.Truncate(time.Second)+time.Second+2*rtt {
				t.Errorf("outage of %v: live %v after %v", outage, p.Live(), took)
			}
		})
	}
}
