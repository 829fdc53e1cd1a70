package pipe

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// joined dials a pipe of one node from another, and returns both ends of a
// connection on which words have gone both ways.
func joined(t *testing.T, from, to *node, lo ListenOptions, do DialOptions) (dialled, accepted *Conn) {
	t.Helper()
	id := to.create(t, CreateOptions{})
	l := to.listen(t, id, lo)
	dialled, err := from.Dial(within(t), id, do)
	must(t, err)
	t.Cleanup(dialled.Reset)
	_, err = io.WriteString(dialled, "hello")
	must(t, err)
	c, err := l.Accept()
	must(t, err)
	accepted = c.(*Conn)
	t.Cleanup(accepted.Reset)
	hear(t, accepted, "hello")
	tell(t, accepted, dialled, "hello to you")
	return dialled, accepted
}

// tell has words go from one end to the other.
func tell(t *testing.T, from, to *Conn, words string) {
	t.Helper()
	_, err := io.WriteString(from, words)
	must(t, err)
	hear(t, to, words)
}

func hear(t *testing.T, c *Conn, words string) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	got := make([]byte, len(words))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != words {
		t.Fatalf("heard %q, %v", got, err)
	}
	must(t, c.SetReadDeadline(time.Time{}))
}

// cut closes every path between two nodes.
func cut(from, to *node) {
	for _, p := range from.cfg.Reach.Paths(to.id()) {
		_ = p.Close()
	}
}

func TestConnectionGoesOnWhenItsPathIsCut(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{}, DialOptions{})
		for range 3 {
			cut(w.nodes[1], w.nodes[0])
			tell(t, a, b, "still here")
			tell(t, b, a, "so am I")
		}
		legs, count := a.Legs()
		if count != 4 || len(legs) != 4 {
			t.Fatalf("%d legs", count)
		}
		for i, l := range legs[:3] {
			if l.End == nil || l.Transport != reach.QUIC || i > 0 && (l.Why != link.WhyLost || l.Pause == 0 || l.Pause > 10*rtt) {
				t.Errorf("leg %d: %+v", i, l)
			}
		}
		if a.Link() != b.Link() || a.Link() == (link.ID{}) || !a.Waiting().IsZero() {
			t.Errorf("links %v and %v, waiting since %v", a.Link(), b.Link(), a.Waiting())
		}
	})
}

func TestConnectionOutlivesSilence(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{}, DialOptions{})
		w.mute(w.nodes[0])
		_, err := io.WriteString(a, "into the dark")
		must(t, err)
		pass(20 * time.Second)
		since := a.Waiting()
		if since.IsZero() {
			t.Error("it does not say that it waits for a path")
		}
		if e := w.nodes[1].Explain(within(t), a.Pipe(), DialOptions{}); e.Connected || e.State == StateConnected || !e.Reconnecting.Equal(since) {
			t.Errorf("explained as connected %v, %s, reconnecting since %v", e.Connected, e.State, e.Reconnecting)
		}
		w.unmute(w.nodes[0])
		hear(t, b, "into the dark")
		tell(t, b, a, "light again")
		if !a.Waiting().IsZero() {
			t.Error("it says that it waits")
		}
	})
}

func TestConnectionIsGoneWhenItsGraceIsOver(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		const grace = 7 * time.Second
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{Grace: 12 * time.Second}, DialOptions{Grace: grace})
		cut(w.nodes[1], w.nodes[0])
		w.mute(w.nodes[0])
		begun := time.Now()
		_, err := a.Read(make([]byte, 1))
		if took := time.Since(begun); wire.CodeOf(err) != wire.Gone || wire.NextOf(err) != "dial again" || took < grace || took > grace+time.Second {
			t.Errorf("dialer: %v (next %q) after %v", err, wire.NextOf(err), took)
		}
		_, err = b.Read(make([]byte, 1)) // a muted node hears of nothing, and finds out by its keepalives
		if took := time.Since(begun); wire.CodeOf(err) != wire.Gone || wire.NextOf(err) == "dial again" || took < 12*time.Second || took > time.Minute {
			t.Errorf("listener: %v (next %q) after %v", err, wire.NextOf(err), took)
		}
	})
}

func TestNodeThatStopsEndsItsConnectionsAtOnce(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		echo(w.nodes[0].listen(t, id, ListenOptions{}))
		a := w.nodes[1].say(t, id, DialOptions{})
		begun := time.Now()
		go w.nodes[0].stop()
		_, err := a.Read(make([]byte, 1))
		if took := time.Since(begun); err == nil || errors.Is(err, net.ErrClosed) || took > withdrawTime+5*rtt {
			t.Errorf("read gives %v after %v", err, took)
		}
		pass(10 * time.Second)
	})
}

func TestNodeThatLostItsStateIsToldFromAPathThatIsLost(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		a, _ := joined(t, w.nodes[1], binder, ListenOptions{}, DialOptions{})
		binder.crash()
		w.start(binder.key, binder.memory)
		begun := time.Now()
		_, err := a.Read(make([]byte, 1))
		if took := time.Since(begun); wire.CodeOf(err) != wire.Gone || took > 20*time.Second {
			t.Errorf("read gives %v after %v", err, took)
		}
	})
}

func TestConnectionFollowsABinderToAnotherPort(t *testing.T) {
	_, n := loopback(t, 3, "/ip4/127.0.0.1/tcp/0")
	a, b := joined(t, n[1], n[0], ListenOptions{}, DialOptions{})
	h := n[0].host
	before := h.Network().ListenAddresses()
	must(t, h.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")))
	h.Network().(interface{ ListenClose(addrs ...ma.Multiaddr) }).ListenClose(before...)
	n[1].host.Peerstore().ClearAddrs(n[0].id()) // nor does identify tell
	n[0].changed <- struct{}{}
	cut(n[0], n[1])
	tell(t, a, b, "where are you?")
	tell(t, b, a, "here")
	if legs, count := a.Legs(); count < 2 || legs[0].Remote.Equal(legs[len(legs)-1].Remote) {
		t.Errorf("legs %+v", legs)
	}
}

func TestRequiredTransportIsKeptWhenThePathIsCut(t *testing.T) {
	_, n := loopback(t, 2)
	for _, want := range []reach.Transport{reach.TCP, reach.QUIC} {
		a, b := joined(t, n[1], n[0], ListenOptions{}, DialOptions{Transport: want})
		cut(n[1], n[0])
		tell(t, a, b, "again")
		if a.Transport() != want {
			t.Errorf("over %s, not %s", a.Transport(), want)
		}
	}
}

func TestRawStreamEndsWithItsPath(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{}, DialOptions{Raw: true})
		if _, count := a.Legs(); count != 0 || a.Link() != (link.ID{}) {
			t.Errorf("%d legs of link %v", count, a.Link())
		}
		cut(w.nodes[1], w.nodes[0])
		for _, c := range []*Conn{a, b} {
			if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("read gives %v", err)
			}
		}
	})
}

func TestListenerThatWantsRawStreamsGetsThem(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		w.meet()
		begun := time.Now()
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{Raw: true}, DialOptions{})
		if a.Link() != (link.ID{}) || b.Link() != (link.ID{}) {
			t.Errorf("links %v and %v", a.Link(), b.Link())
		}
		if took := time.Since(begun); took > 6*rtt {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNodeWithoutLinksIsDialledAndDials(t *testing.T) {
	virtual(t, 1, func(t *testing.T, w *sim) {
		old := w.add(func(c *Config) { c.Links = nil })
		for range 2 { // the second time identify has told
			for _, n := range [][2]*node{{w.nodes[0], old}, {old, w.nodes[0]}} {
				begun := time.Now()
				a, _ := joined(t, n[0], n[1], ListenOptions{}, DialOptions{})
				if a.Link() != (link.ID{}) {
					t.Errorf("link %v", a.Link())
				}
				if took := time.Since(begun); took > 12*rtt {
					t.Errorf("it took %v", took)
				}
			}
			pass(time.Minute)
		}
	})
}

func TestWaysKeepToPolicyAndTransports(t *testing.T) {
	restricted := Advertisement{Transports: []reach.Transport{reach.TCP, reach.Relay}}
	for name, c := range map[string]struct {
		o    DialOptions
		a    Advertisement
		want []reach.Want
	}{
		"any":                {DialOptions{}, Advertisement{}, []reach.Want{{AllowRelay: true}}},
		"direct only":        {DialOptions{PathPolicy: DirectOnly}, Advertisement{}, []reach.Want{{}}},
		"prefer direct":      {DialOptions{PathPolicy: PreferDirect}, Advertisement{}, []reach.Want{{AllowRelay: true, PreferDirect: true}}},
		"required transport": {DialOptions{Transport: reach.QUIC}, Advertisement{}, []reach.Want{{Transport: reach.QUIC}}},
		"of the pipe": {DialOptions{}, restricted, []reach.Want{
			{Transport: reach.TCP, NoPunch: true}, {Transport: reach.Relay, AllowRelay: true},
		}},
		"of the pipe, direct only": {DialOptions{PathPolicy: DirectOnly}, restricted, []reach.Want{{Transport: reach.TCP}}},
		"required of the pipe":     {DialOptions{Transport: reach.TCP}, restricted, []reach.Want{{Transport: reach.TCP}}},
	} {
		w := wayOf(ID{}, c.a, c.o)
		if w != wayOf(ID{}, c.a, c.o) {
			t.Errorf("%s: the way is not its own equal", name)
		}
		got := w.wants(reach.Want{})
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i, w := range got {
			if x := c.want[i]; w.Transport != x.Transport || w.AllowRelay != x.AllowRelay || w.PreferDirect != x.PreferDirect || w.NoPunch != x.NoPunch {
				t.Errorf("%s: want %d is %+v", name, i, w)
			}
		}
	}
}
