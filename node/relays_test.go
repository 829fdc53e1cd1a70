package node

import (
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/marcopolo/simnet"
)

func TestWhichRelaysAreAsked(t *testing.T) {
	for what, c := range map[string]struct {
		received []uint64 // at each look
		asked    []bool
	}{
		"not counted":     {[]uint64{0, 0, 0, 0}, []bool{true, false, true, false}},
		"idle, answering": {[]uint64{5, 5, 9, 9}, []bool{false, true, false, true}},
		"busy":            {[]uint64{5, 6, 7, 8}, []bool{false, false, false, false}},
		"dead":            {[]uint64{5, 5, 5, 5}, []bool{false, true, true, true}},
	} {
		var l look
		for i, n := range c.received {
			if l = l.next(n); l.asked != c.asked[i] {
				t.Errorf("%s, look %d: asked %v", what, i, l.asked)
			}
		}
	}
}

// onRelay starts a relay that counts pings, and a node that is on it.
func onRelay(t *testing.T, v *virtual, f func(relay, private *Node, pings *atomic.Int64)) {
	relay := v.start(t, func(c *Config) {
		c.Relay, c.Role = Relay{Serve: true, MaxData: 1 << 30, MaxDuration: time.Hour}, "server"
	})
	declare(t, relay, network.ReachabilityPublic)
	private := v.start(t, func(c *Config) { c.Join, c.Role = []string{ticket(relay)}, "client" })
	ctx := within(t, time.Hour)
	if err := private.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	changes, err := private.Host().EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Close()
	declare(t, private, network.ReachabilityPrivate)
	if len(addrsOnRelay(ctx, private, changes)) == 0 {
		t.Fatal("not on the relay")
	}
	var pings atomic.Int64
	relay.Host().SetStreamHandler(ping.ID, func(s network.Stream) {
		pings.Add(1)
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	relay.Host().SetStreamHandler("/test/sink/1", func(s network.Stream) { _, _ = io.Copy(io.Discard, s); _ = s.Close() })
	f(relay, private, &pings)
}

func TestRelayIsAskedOnlyWhenNothingComesOfIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		onRelay(t, v, func(relay, private *Node, pings *atomic.Int64) {
			const minutes = 10
			time.Sleep(minutes * time.Minute)
			if got := pings.Swap(0); got < minutes*60/6 || got > minutes*60/4 {
				t.Errorf("%d pings of an idle relay in %d minutes", got, minutes)
			}
			s, err := private.Host().NewStream(t.Context(), relay.ID(), "/test/sink/1")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			for begun := time.Now(); time.Since(begun) < minutes*time.Minute; time.Sleep(time.Second) {
				if _, err := s.Write(make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
			}
			if got := pings.Load(); got > minutes*60/5/10 {
				t.Errorf("%d pings of a relay that acknowledges data every second", got)
			}
		})
	})
}

func TestRelayThatFallsSilentIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		v := &virtual{net: &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: func(*simnet.Packet) time.Duration {
			if silent.Load() {
				return 1000 * time.Hour
			}
			return 25 * time.Millisecond
		}}}
		v.net.Start()
		t.Cleanup(v.net.Close)
		onRelay(t, v, func(relay, private *Node, _ *atomic.Int64) {
			time.Sleep(time.Minute)
			news := make(chan struct{}, 1)
			private.Host().Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { signal(news) }})
			silent.Store(true)
			begun := time.Now()
			<-news
			if took := time.Since(begun); took > 2*relayLook*6/5+5*time.Second {
				t.Errorf("the path to the relay was closed after %v", took)
			}
		})
	})
}
