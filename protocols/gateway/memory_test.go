package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// heap is what is in use when all garbage is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// blast writes until nothing has gone for a while, and says how much went.
func blast(t testing.TB, c net.Conn) (n int64) {
	b := make([]byte, 64<<10)
	for {
		must(t, c.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
		some, err := c.Write(b)
		n += int64(some)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return n
		case err != nil:
			t.Errorf("after %d bytes: %v", n, err)
			return n
		}
	}
}

func TestWhoDoesNotReadStopsTheWriterAndNobodyGrows(t *testing.T) {
	_, nodes := newWorld(t, 2)
	const clients = 8
	const most = clients * 8 << 20 // of what is under way: windows at both ends, which may have grown before the writer was stopped
	over := make(chan struct{})
	deaf := nodes[0].expose(t, serve(t, func(*net.TCPConn) { <-over }).addr(), "deaf")
	wrote := make(chan int64, 2*clients)
	loud := nodes[0].expose(t, serve(t, func(c *net.TCPConn) {
		wrote <- blast(t, c)
		wrote <- blast(t, c)
		<-over
	}).addr(), "loud")
	to := map[string]string{"deaf": nodes[1].forward(t, deaf), "loud": nodes[1].forward(t, loud)}
	defer close(over)
	for name, addr := range to {
		before := heap()
		for range clients {
			c := dial(t, addr)
			if name == "deaf" {
				go func() {
					wrote <- blast(t, c)
					wrote <- blast(t, c)
				}()
			}
		}
		var sum int64
		for range 2 * clients {
			sum += <-wrote
		}
		grown := heap() - before
		t.Logf("%s: %d KiB for %d clients, who wrote %d KiB", name, grown>>10, clients, sum>>10)
		if grown > most {
			t.Errorf("%s: both nodes have grown by %d KiB", name, grown>>10)
		}
	}
}

func TestChannelsThatHaveEndedLeaveNothing(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	addr := nodes[1].forward(t, s)
	const workers, cycles = 16, 10000
	run := func(each int) {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					if err := cycle(addr); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	run(20)
	for _, n := range nodes {
		n.heard.await(t, 20*workers, kind(EventClosed))
		n.heard.forget()
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	run(cycles / workers)
	for _, n := range nodes {
		n.heard.await(t, cycles, kind(EventClosed))
		n.heard.forget()
		if st := n.Rules()[0]; st.Channels != 0 {
			t.Errorf("%d channels", st.Channels)
		}
	}
	if now := runtime.NumGoroutine(); now > goroutines+8 {
		t.Errorf("%d goroutines, %d before", now, goroutines)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("grown by %d KiB", grown>>10)
	} else {
		t.Logf("grown by %d KiB", grown>>10)
	}
	for _, n := range nodes {
		if n.places.taken != 0 || len(n.places.by) != 0 {
			t.Errorf("%d places are taken", n.places.taken)
		}
	}
}

// cycle is one client's life: connect, 64 bytes there and back, close.
func cycle(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := conversation(c, 64); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}

func TestAnIdleChannelHoldsLittle(t *testing.T) {
	_, nodes := newWorld(t, 2)
	over := make(chan struct{})
	defer close(over)
	s := nodes[0].expose(t, serve(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		_, _ = c.Write([]byte{0})
		<-over
	}).addr(), "web")
	addr := nodes[1].forward(t, s)
	const count = 500
	wantWord(t, dial(t, addr), "\x00")
	before := heap()
	for range count {
		wantWord(t, dial(t, addr), "\x00")
	}
	each := (heap() - before) / count
	t.Logf("%d bytes a channel, and the test's own two conns and a goroutine", each)
	if each > 28<<10 && !underRace {
		t.Errorf("an idle channel holds %d bytes", each)
	}
}
