package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

// inVirtualTime runs a test in a world without nodes, on a virtual network.
func inVirtualTime(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		sim := &simnet.Simnet{
			Logger: slog.New(slog.DiscardHandler), LatencyFunc: func(*simnet.Packet) time.Duration { return 10 * time.Millisecond },
		}
		sim.Start()
		t.Cleanup(func() {
			sim.Close()
			synctest.Wait()
		})
		count := 0
		f(t, &world{t: t, host: func() []libp2p.Option {
			count++
			line := simnet.LinkSettings{BitsPerSecond: 1000 * simlibp2p.OneMbps}
			return []libp2p.Option{
				libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/1.0.0.%d/udp/8000/quic-v1", count)),
				simlibp2p.QUICSimnet(sim, simnet.NodeBiDiLinkSettings{Downlink: line, Uplink: line}),
			}
		}})
	})
}

// local is where clients and services are in a process: a listener, and its
// dialers.
type local struct {
	came chan net.Conn
	over chan struct{}
	once sync.Once
}

func newLocal() *local { return &local{came: make(chan net.Conn), over: make(chan struct{})} }

func (l *local) Accept() (net.Conn, error) {
	select {
	case c := <-l.came:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *local) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

func (l *local) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "/local"} }

func (l *local) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	l.came <- far
	return near, nil
}

// goroutines counts those of channels, of what carries them, and of what opened
// them.
func goroutines() (n int) {
	stacks := make([]byte, 4<<20)
	for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		for _, of := range []string{"gateway.(*", "link.(*", "pipe.(*keptDial)", "pipe.(*Conn)", "pipe.(*Incoming)"} {
			if strings.Contains(g, "/protocols/"+of) {
				n++
				break
			}
		}
	}
	return n
}

// TestAnIdleChannelIsOneGoroutineAtEachSide, whichever side has spoken, and how
// much; and none when it has ended.
func TestAnIdleChannelIsOneGoroutineAtEachSide(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world) {
		const count = 20
		clients, service := newLocal(), newLocal()
		far := w.add(func(c *Config) { c.DialTarget = service.dial })
		near := w.add(func(c *Config) {
			c.Listen = func(context.Context, string, string) (net.Listener, error) { return clients, nil }
		})
		near.forward(t, far.expose(t, "127.0.0.1:1", "web"))
		time.Sleep(time.Minute)
		before := goroutines()
		var held []net.Conn
		for i := range count {
			client, err := clients.dial(t.Context(), "", "")
			must(t, err)
			c, err := service.Accept()
			must(t, err)
			both := []net.Conn{client, c}
			for range i % 4 {
				size := 1 << (6 * (i % 4))
				go func() { _, _ = both[0].Write(make([]byte, size)) }()
				_, err = io.ReadFull(both[1], make([]byte, size))
				must(t, err)
				both[0], both[1] = both[1], both[0]
			}
			held = append(held, both...)
		}
		time.Sleep(time.Minute)
		if n := goroutines() - before; n != 2*count {
			t.Errorf("%d goroutines for %d channels", n, count)
		}
		for _, c := range held {
			_ = c.Close()
		}
		time.Sleep(time.Minute)
		if n := goroutines() - before; n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}
