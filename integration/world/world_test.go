package world

import (
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// echo binds a pipe at n that sends back what comes in.
func echo(t *testing.T, n *Node) pipe.ID {
	t.Helper()
	p, err := n.CreatePipe(t.Context(), "echo", pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
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
	return p.ID
}

// dial connects n to a pipe and exchanges one byte, so that nothing is left to
// negotiate.
func dial(t *testing.T, n *Node, id pipe.ID) *pipe.Conn {
	t.Helper()
	c, err := n.Pipes().Dial(t.Context(), id, pipe.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bounce(t, c, 1)
	return c
}

// bounce sends size bytes, waits until all are back and returns how long it took.
func bounce(t *testing.T, c *pipe.Conn, size int) time.Duration {
	t.Helper()
	began := time.Now()
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, size))
		sent <- err
	}()
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestARoundTripTakesTwiceOneWay(t *testing.T) {
	Run(t, Config{Nodes: 2, OneWay: 40 * time.Millisecond}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		took := bounce(t, dial(t, w.Nodes[1], echo(t, w.Nodes[0])), 1)
		if took < w.RTT() || took > w.RTT()+time.Millisecond {
			t.Errorf("a byte took %v to come back, want %v", took, w.RTT())
		}
	})
}

func TestLatencyMayDifferFromPairToPair(t *testing.T) {
	Run(t, Config{Nodes: 3}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		far := w.Nodes[2].IP
		w.Net.SetLatency(func(from, to netip.Addr) time.Duration {
			if from == far || to == far {
				return 100 * time.Millisecond
			}
			return 10 * time.Millisecond
		})
		id := echo(t, w.Nodes[0])
		for i, want := range map[int]time.Duration{1: 20 * time.Millisecond, 2: 200 * time.Millisecond} {
			if took := bounce(t, dial(t, w.Nodes[i], id), 1); took < want || took > want+time.Millisecond {
				t.Errorf("a byte of node %d took %v to come back, want %v", i, took, want)
			}
		}
	})
}

func TestBandwidthIsLimited(t *testing.T) {
	Run(t, Config{Nodes: 2, Bandwidth: 8_000_000}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		took := bounce(t, dial(t, w.Nodes[1], echo(t, w.Nodes[0])), 1_000_000)
		if took < time.Second || took > 3*time.Second {
			t.Errorf("a megabyte took %v both ways at 8 Mbit/s", took)
		}
	})
}

func TestPacketsAreLostByTheClosure(t *testing.T) {
	Run(t, Config{Nodes: 2}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		c := dial(t, w.Nodes[1], echo(t, w.Nodes[0]))
		w.Pass(time.Second) // what the nodes still have to say to each other is said
		var lost atomic.Int32
		w.Net.SetDrop(func(p Packet) bool {
			return p.From == w.Nodes[1].IP && p.To == w.Nodes[0].IP && lost.Add(1) == 1
		})
		if took := bounce(t, c, 1); took <= w.RTT()+time.Millisecond {
			t.Errorf("a byte whose packet was lost came back after %v", took)
		}
		if lost.Load() < 2 {
			t.Error("nothing was sent again")
		}
	})
}

func TestAKilledNodeFallsSilentAndAStoppedOneSaysGoodbye(t *testing.T) {
	Run(t, Config{Nodes: 3}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		w.Pass(time.Minute)
		connected := func(n *Node) bool {
			return w.Nodes[0].Host().Network().Connectedness(n.ID()) == network.Connected
		}
		w.Stop(t, w.Nodes[1])
		w.Pass(w.RTT())
		if connected(w.Nodes[1]) {
			t.Error("the stopped node is still connected")
		}
		w.Kill(w.Nodes[2])
		w.Pass(time.Second)
		if !connected(w.Nodes[2]) {
			t.Error("the killed node was heard to leave")
		}
		w.Pass(2 * time.Minute)
		if connected(w.Nodes[2]) {
			t.Error("the killed node is still connected")
		}
	})
}

func TestASplitNetworkPassesNothingUntilItHeals(t *testing.T) {
	Run(t, Config{Nodes: 3}, func(t *testing.T, w *World) {
		w.AwaitReady(t)
		id := echo(t, w.Nodes[0])
		same, other := dial(t, w.Nodes[1], id), dial(t, w.Nodes[2], id)
		w.Split(w.Nodes[2:])
		bounce(t, same, 1)
		if err := other.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Read(make([]byte, 1)); err == nil {
			t.Error("a byte passed the split")
		}
		w.Net.Heal()
		if err := other.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Read(make([]byte, 1)); err != nil {
			t.Errorf("after the split: %v", err)
		}
	})
}
