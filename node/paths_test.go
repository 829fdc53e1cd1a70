package node

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// walls are what stands between the nodes of a virtual network: a firewall in
// front of some, which lets in what was sent for, or nothing from some.
type walls struct {
	mu    sync.Mutex
	inner map[netip.Addr]bool             // behind a firewall
	sent  map[[2]netip.AddrPort]time.Time // last, from and to
	cut   bool                            // nothing passes between two of them
}

// holeLife is how long a firewall remembers that something was sent.
const holeLife = 30 * time.Second

func (w *walls) latency(p *simnet.Packet) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	from, to := p.From.(*net.UDPAddr).AddrPort(), p.To.(*net.UDPAddr).AddrPort()
	now := time.Now()
	w.sent[[2]netip.AddrPort{from, to}] = now
	behind := w.inner[to.Addr().Unmap()]
	answered, asked := w.sent[[2]netip.AddrPort{to, from}]
	if behind && (!asked || now.Sub(answered) > holeLife || w.cut && w.inner[from.Addr().Unmap()]) {
		return 1000 * time.Hour // never
	}
	return 25 * time.Millisecond
}

func (w *walls) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// piped is a pipe served by a node behind a firewall that is on a relay, and a
// dialer behind another.
type piped struct {
	walls          *walls
	binder, dialer *Node
	id             string
}

func behindFirewalls(t *testing.T, limit Relay, f func(t *testing.T, p *piped)) {
	synctest.Test(t, func(t *testing.T) {
		w := &walls{inner: make(map[netip.Addr]bool), sent: make(map[[2]netip.AddrPort]time.Time)}
		v := &virtual{net: &simnet.Simnet{LatencyFunc: w.latency, Logger: slog.New(slog.DiscardHandler)}}
		v.net.Start()
		t.Cleanup(v.net.Close)
		limit.Serve = true
		relay := v.start(t, func(c *Config) { c.Relay, c.Role = limit, "server" })
		declare(t, relay, network.ReachabilityPublic)
		for _, ip := range []string{"1.0.2.1", "1.0.3.1"} {
			w.inner[netip.MustParseAddr(ip)] = true
		}
		join := func(c *Config) { c.Join, c.Role = []string{ticket(relay)}, "client" }
		p := &piped{walls: w, binder: v.start(t, join), dialer: v.start(t, join)}
		p.serve(t)
		f(t, p)
	})
}

// serve has the binder reserve a place at the relay and echo on a pipe.
func (p *piped) serve(t *testing.T) {
	t.Helper()
	ctx := within(t, 5*time.Minute)
	for _, n := range []*Node{p.binder, p.dialer} {
		if err := n.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := p.binder.Host().EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Close()
	declare(t, p.binder, network.ReachabilityPrivate)
	if len(addrsOnRelay(ctx, p.binder, changes)) == 0 {
		t.Fatal("the binder has no address on the relay")
	}
	made, err := p.binder.CreatePipe(ctx, "echo", pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.binder.ListenPipe(ctx, "echo", pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	p.id = made.ID.String()
}

// dial dials the pipe and says hello over it.
func (p *piped) dial(ctx context.Context, o pipe.DialOptions) (*pipe.Conn, error) {
	c, err := p.dialer.DialPipe(ctx, p.id, o)
	if err != nil {
		return nil, err
	}
	conn := c.(*pipe.Conn)
	return conn, echoes(conn)
}

// echoes says hello over a connection to the pipe.
func echoes(conn *pipe.Conn) error {
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 5))
	return err
}

func TestPathPoliciesBehindFirewalls(t *testing.T) {
	for _, c := range []struct {
		policy pipe.PathPolicy
		cut    bool // no hole can be punched
		direct bool
		within time.Duration
	}{
		{pipe.RelayOK, false, false, 2 * time.Second},
		{pipe.PreferDirect, false, true, reach.PreferTime},
		{pipe.DirectOnly, false, true, reach.PunchTime},
		{pipe.RelayOK, true, false, 2 * time.Second},
		{pipe.PreferDirect, true, false, reach.PreferTime + 2*time.Second},
	} {
		behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: time.Hour}, func(t *testing.T, p *piped) {
			p.walls.set(c.cut)
			begun := time.Now()
			conn, err := p.dial(within(t, time.Minute), pipe.DialOptions{PathPolicy: c.policy})
			took := time.Since(begun)
			if err != nil {
				t.Fatalf("%+v: %v after %v", c, err, took)
			}
			if conn.Direct() != c.direct || took > c.within {
				t.Errorf("%+v: direct %v after %v", c, conn.Direct(), took)
			}
			_ = conn.Close()
		})
	}
}

func TestDirectOnlySaysWhyNoHoleCouldBePunched(t *testing.T) {
	behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: time.Hour}, func(t *testing.T, p *piped) {
		p.walls.set(true)
		_, err := p.dial(within(t, time.Minute), pipe.DialOptions{PathPolicy: pipe.DirectOnly})
		if wire.CodeOf(err) != wire.Unreachable || wire.NextOf(err) == "" || !strings.Contains(err.Error(), "hole punching did not succeed: ") {
			t.Errorf("%v (next %q)", err, wire.NextOf(err))
		}
	})
}

func TestRelayedPipeGivesWayToADirectPath(t *testing.T) {
	behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: time.Hour}, func(t *testing.T, p *piped) {
		ctx := within(t, time.Minute)
		first, err := p.dial(ctx, pipe.DialOptions{PathPolicy: pipe.RelayOK})
		if err != nil || first.Direct() {
			t.Fatalf("%v", err)
		}
		defer first.Close()
		for path := range p.dialer.Reach().Watch(ctx, reach.Want{Peer: p.binder.ID(), AllowRelay: true}) {
			if path.Direct() {
				break
			}
		}
		time.Sleep(2 * time.Second)
		if err := echoes(first); err != nil {
			t.Fatal(err)
		}
		legs, count := first.Legs()
		if count != 2 || !first.Direct() || legs[0].Direct || legs[1].Why != link.WhyBetter || legs[1].Pause != 0 || legs[1].Replayed != 0 {
			t.Errorf("the first connection has had %+v", legs)
		}
		second, err := p.dial(ctx, pipe.DialOptions{PathPolicy: pipe.RelayOK})
		if err != nil || !second.Direct() {
			t.Fatalf("%v, or not direct", err)
		}
		defer second.Close()
		if e := p.dialer.Pipes().Explain(ctx, second.Pipe(), pipe.DialOptions{}); e.State != pipe.StateConnected || e.Path != pipe.PathDirect {
			t.Errorf("state %s over %s", e.State, e.Path)
		}
	})
}

func TestRawPipeThatEndsAtTheRelaysLimitSaysSo(t *testing.T) {
	behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: 20 * time.Second}, func(t *testing.T, p *piped) {
		p.walls.set(true)
		conn, err := p.dial(within(t, time.Minute), pipe.DialOptions{Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Read(make([]byte, 1)); wire.CodeOf(err) != wire.Limit || wire.NextOf(err) == "" {
			t.Errorf("%v (next %q)", err, wire.NextOf(err))
		}
	})
}

func TestPipeOutlivesTheRelaysLimit(t *testing.T) {
	behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: 20 * time.Second}, func(t *testing.T, p *piped) {
		p.walls.set(true)
		conn, err := p.dial(within(t, time.Minute), pipe.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		time.Sleep(30 * time.Second)
		if err := echoes(conn); err != nil {
			t.Fatal(err)
		}
		legs, count := conn.Legs()
		if count != 2 || wire.CodeOf(legs[0].End) != wire.Limit || legs[1].Pause > time.Second || conn.Direct() {
			t.Errorf("legs %+v", legs)
		}
	})
}

// To explain a peer makes a relayed connection on which no holes are punched:
// it must not be what the next dial gets.
func TestExplainingAPeerDoesNotStandInTheWayOfADirectPath(t *testing.T) {
	behindFirewalls(t, Relay{MaxData: 1 << 30, MaxDuration: time.Hour}, func(t *testing.T, p *piped) {
		ctx := within(t, 2*time.Minute)
		p.dialer.Host().Peerstore().AddAddrs(p.binder.ID(), p.binder.Addrs(), time.Hour)
		f, v := p.dialer.ExplainPeer(ctx, p.binder.ID(), reach.Any, false)
		if !v.Connected || v.Direct || len(f.Paths) != 1 || f.Paths[0].Inbound {
			t.Fatalf("explained as %+v, %+v, want a relayed connection dialled from here", v, f.Paths)
		}
		if f.Punching == nil || !f.Punching.Here || !f.Punching.There || !strings.Contains(v.Summary, "both sides punch holes") {
			t.Errorf("%q: hole punching %+v", v.Summary, f.Punching)
		}
		begun := time.Now()
		conn, err := p.dial(ctx, pipe.DialOptions{PathPolicy: pipe.DirectOnly})
		if err != nil {
			t.Fatalf("%v after %v", err, time.Since(begun))
		}
		defer conn.Close()
	})
}
