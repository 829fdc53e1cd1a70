package reach_test

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// relayedOnly gives a's path to b over the relay, through which alone it can go.
func relayedOnly(t *testing.T, w behind) reach.Path {
	t.Helper()
	w.dropping(between(ipA, ipB))
	want := w.want()
	want.AllowRelay = true
	return w.a.path(t, want)
}

func TestRelayedPathTellsWhatIsLeft(t *testing.T) {
	limit := relay.RelayLimit{Duration: time.Minute, Data: 1 << 20}
	inVirtualTime(t, firewalls(punching{}, &limit, func(t *testing.T, w behind) {
		p := relayedOnly(t, w)
		s := open(t, p)
		say(t, s, string(make([]byte, 100<<10)))
		time.Sleep(20 * time.Second)
		a, ok := p.Allowance()
		if !ok || a.Relay != w.relay.ID() || a.Duration != limit.Duration || a.Data != limit.Data {
			t.Fatalf("%+v, %v", a, ok)
		}
		if left := a.TimeLeft(); left > 40*time.Second || left < 35*time.Second {
			t.Errorf("%v left", left)
		}
		if used := limit.Data - a.DataLeft(); used < 100<<10 || used > 101<<10 {
			t.Errorf("%d bytes used", used)
		}
		if back, ok := w.b.Paths(w.a.ID())[0].Allowance(); !ok || back.Sent != 100<<10 || back.Received != 100<<10 {
			t.Errorf("the far side counts %+v", back) // it does not see the negotiation
		}
		if direct, ok := w.b.Paths(w.relay.ID())[0].Allowance(); ok {
			t.Errorf("a direct path has limits: %+v", direct)
		}
	}))
}

func TestRelayWithoutLimitsGrantsAll(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		if a, ok := relayedOnly(t, w).Allowance(); ok {
			t.Errorf("%+v", a)
		}
	}))
}

// endsAtLimit reads until s ends and wants the relay's limit named at once.
func endsAtLimit(t *testing.T, w behind, s network.Stream) {
	t.Helper()
	_, err := io.Copy(io.Discard, s)
	if wire.CodeOf(err) != wire.Limit || wire.NextOf(err) == "" {
		t.Errorf("%v (next %q)", err, wire.NextOf(err))
	}
}

func TestEndByTheRelaysLimitIsNamed(t *testing.T) {
	for name, limit := range map[string]relay.RelayLimit{
		"time": {Duration: 20 * time.Second, Data: 1 << 30},
		"data": {Duration: time.Hour, Data: 256 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, firewalls(punching{}, &limit, func(t *testing.T, w behind) {
				far := make(chan error, 1)
				w.b.Handle("/test/sink/1", func(s network.Stream) {
					_, err := io.Copy(io.Discard, s)
					far <- err
				})
				p := relayedOnly(t, w)
				s, err := p.OpenStream(t.Context(), "/test/sink/1")
				if err != nil {
					t.Fatal(err)
				}
				defer s.Reset()
				for err == nil {
					_, err = s.Write(make([]byte, 1<<10))
					time.Sleep(10 * time.Millisecond)
				}
				if wire.CodeOf(err) != wire.Limit || wire.NextOf(err) == "" {
					t.Errorf("writer: %v", err)
				}
				if err := <-far; wire.CodeOf(err) != wire.Limit {
					t.Errorf("reader: %v", err)
				}
				endsAtLimit(t, w, s)
				if p.Live() {
					t.Error("the path is still there")
				}
			}))
		})
	}
}

func TestEndFarFromTheLimitIsNoLimit(t *testing.T) {
	limit := relay.RelayLimit{Duration: time.Hour, Data: 1 << 30}
	inVirtualTime(t, firewalls(punching{}, &limit, func(t *testing.T, w behind) {
		p := relayedOnly(t, w)
		s := open(t, p)
		say(t, s, "relayed")
		for _, c := range w.relay.Network().ConnsToPeer(w.b.ID()) {
			_ = c.Close()
		}
		if _, err := s.Read(make([]byte, 1)); err == nil || wire.CodeOf(err) == wire.Limit {
			t.Errorf("%v", err)
		}
	}))
}

func TestDeadRelayIsClosedWithThePathsOverIt(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		p := relayedOnly(t, w)
		say(t, open(t, p), "relayed")
		w.dropping(func(from, to netip.AddrPort) bool { return true })
		begun := time.Now()
		<-w.a.Doubt(p)
		for _, carrier := range w.a.Paths(w.relay.ID()) {
			<-w.a.Doubt(carrier) // joins the probe that is under way
		}
		if took := time.Since(begun); p.Live() || len(w.a.Paths(w.relay.ID())) != 0 || took > 5*time.Second {
			t.Errorf("after %v: live %v, %d paths to the relay", took, p.Live(), len(w.a.Paths(w.relay.ID())))
		}
	}))
}

func TestDialThroughASilentRelayPutsItInDoubt(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		p := relayedOnly(t, w)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		w.dropping(func(from, to netip.AddrPort) bool { return true })
		want := w.want()
		want.AllowRelay = true
		if _, _, err := w.a.Path(t.Context(), want); err == nil {
			t.Fatal("a path through silence")
		}
		for _, carrier := range w.a.Paths(w.relay.ID()) {
			<-w.a.Doubt(carrier)
		}
		if left := w.a.Paths(w.relay.ID()); len(left) != 0 {
			t.Errorf("%d paths to the silent relay", len(left))
		}
	}))
}
