package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// with returns the finding of a code.
func with(t *testing.T, all []doctor.Finding, code doctor.Code) doctor.Finding {
	t.Helper()
	i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Code == code })
	if i < 0 {
		t.Fatalf("nothing of %s in %+v", code, all)
	}
	return all[i]
}

// two starts two nodes of one overlay on TCP, the second joined through the
// first.
func two(t *testing.T) (a, b *Node) {
	t.Helper()
	a = start(t, local("/ip4/127.0.0.1/tcp/0"))
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Join = []string{ticket(a)}
	b = start(t, cfg)
	if err := b.Ready(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestExaminationOfTwoNodes(t *testing.T) {
	a, b := two(t)
	ctx := within(t, 20*time.Second)
	if _, err := b.CreatePipe(ctx, "x", pipe.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l, err := b.ListenPipe(ctx, "x", pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all := b.Examine(ctx)
	if worst := doctor.Worst(all); worst == doctor.Problem {
		t.Errorf("%+v", all)
	}
	for code, says := range map[doctor.Code]string{
		doctor.OverlayAnswers: "1 of 1", doctor.Binding: "2 nodes", doctor.StateDir: "in memory", doctor.Listen: "loopback",
		doctor.LimitsFree: "no limit", doctor.Clock: "1 node", doctor.Reachability: "LAN",
	} {
		if f := with(t, all, code); !strings.Contains(f.Summary+f.Cause, says) {
			t.Errorf("%+v does not say %q", f, says)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	states, cancel := b.Discovery().Subscribe()
	defer cancel()
	for s := range states {
		if s.Servers == 0 {
			break
		}
	}
	if f := with(t, b.Examine(ctx), doctor.Peers); f.Severity != doctor.Problem || !strings.Contains(f.Summary, "lost") {
		t.Errorf("%+v", f)
	}
}

func TestPeersOfAnotherOverlayAreFound(t *testing.T) {
	a := start(t, local("/ip4/127.0.0.1/tcp/0"))
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Overlay = "elsewhere"
	b := start(t, cfg)
	ctx := within(t, 10*time.Second)
	known, err := a.Host().EventBus().Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)})
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	if err := b.Host().Connect(ctx, peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}); err != nil {
		t.Fatal(err)
	}
	for len(a.foreign()) == 0 { // it may tell its protocols one by one
		select {
		case <-known.Out():
		case <-ctx.Done():
			t.Fatal("the other node's overlay is not seen")
		}
	}
	if f := with(t, a.Examine(ctx), doctor.OtherOverlay); !strings.Contains(f.Summary, `"elsewhere"`) {
		t.Errorf("%+v", f)
	}
	f, v := a.ExplainPeer(ctx, b.ID(), reach.Any, false)
	if v.Problem != "unsupported" || !v.Connected || !slices.Equal(f.Overlays, []string{"elsewhere"}) {
		t.Errorf("%+v\n%+v", f, v)
	}
}

func TestPeerIsExplainedWhileItLivesAndAfter(t *testing.T) {
	a, b := two(t)
	ctx := within(t, 30*time.Second)
	f, v := b.ExplainPeer(ctx, a.ID(), reach.Any, false)
	if v.Problem != "" || !v.Connected || !v.Direct || !f.InOverlay || !f.Server || f.Agent != userAgent {
		t.Errorf("%+v\n%+v", f, v)
	}
	if len(f.Paths) != 1 || f.Paths[0].RTT <= 0 || f.Paths[0].Inbound || f.Paths[0].Transport != "tcp" || len(f.Tries) != 1 || !f.Tries[0].Reused {
		t.Errorf("paths %+v, tries %+v", f.Paths, f.Tries)
	}
	if k := f.Addrs[0]; k.Kind != doctor.AddrLoopback || !slices.Contains(k.Sources, "join") || !slices.Contains(k.Sources, "connection") {
		t.Errorf("addresses %+v", f.Addrs)
	}
	if f, v = b.ExplainPeer(ctx, b.ID(), reach.Any, false); !f.Self || !v.Connected || f.Addrs[0].Sources[0] != "own" || !f.Server {
		t.Errorf("itself: %+v\n%+v", f, v)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	f, v = b.ExplainPeer(ctx, a.ID(), reach.Any, false)
	if v.Problem != "unreachable" || v.Connected || v.Next == "" || len(f.Tries) == 0 || f.Tries[0].Error == "" {
		t.Errorf("gone: %+v\n%+v", f, v)
	}
}

func TestUnknownPeerAndUnfitTransportAreTold(t *testing.T) {
	a, b := two(t)
	ctx := within(t, 20*time.Second)
	stranger := start(t, local("/ip4/127.0.0.1/tcp/0"))
	f, v := b.ExplainPeer(ctx, stranger.ID(), reach.Any, false)
	if v.Problem != "unknown" || f.Asked != 1 || len(f.Addrs) != 0 {
		t.Errorf("%+v\n%+v", f, v)
	}
	f, v = b.ExplainPeer(ctx, a.ID(), reach.WebTransport, true)
	if v.Problem != "unreachable" || !v.Connected || len(f.Paths) != 1 {
		t.Errorf("%+v\n%+v", f, v)
	}
}

func TestRelayInUseIsTold(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		relay := v.start(t, func(c *Config) {
			c.Relay = Relay{Serve: true, MaxData: 1 << 30, MaxDuration: time.Hour}
			c.Role = "server"
		})
		declare(t, relay, network.ReachabilityPublic)
		join := func(c *Config) { c.Join = []string{ticket(relay)} }
		private, dialer := v.start(t, join), v.start(t, join)
		ctx := within(t, 5*time.Minute)
		if err := private.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		changes, err := private.Host().EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
		if err != nil {
			t.Fatal(err)
		}
		defer changes.Close()
		declare(t, private, network.ReachabilityPrivate)
		circuit := addrsOnRelay(ctx, private, changes)
		if got := private.Standing().Relays; !slices.Equal(got, []string{relay.ID().String()}) {
			t.Errorf("relays %v", got)
		}
		if _, _, err := dialer.Reach().Path(ctx, reach.Want{Peer: private.ID(), Addrs: circuit, Only: true, AllowRelay: true, Explicit: true}); err != nil {
			t.Fatal(err)
		}
		got := dialer.circuits()
		if len(got) != 1 || got[0].Relay != relay.ID().String() || got[0].MaxTime != time.Hour || got[0].LeftTime > time.Hour || got[0].MaxData != 1<<30 {
			t.Errorf("circuits %+v", got)
		}
		if f := with(t, dialer.Examine(ctx), doctor.RelayLimit); f.Severity != doctor.Note || !strings.Contains(f.Cause, "left of 1h0m0s") {
			t.Errorf("%+v", f)
		}
	})
}

func TestMachineIsExaminedWithoutANode(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HTTPS_PROXY", "http://user:secret@proxy")
	m := Machine(filepath.Join(dir, "not", "there"))
	if !m.State.Missing || m.State.Fault != "" || !slices.Contains(m.Proxies, "HTTPS_PROXY") {
		t.Errorf("%+v", m)
	}
	for _, p := range m.Proxies {
		if strings.Contains(p, "secret") {
			t.Error("the password of a proxy is told")
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if m := Machine(file); !strings.Contains(m.State.Fault, "not a folder") {
		t.Errorf("%+v", m.State)
	}
}
