package muxer

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// TestAStreamFillsALongPath: 100 Mbit/s at a round trip of 50 ms. go-yamux stands
// still for a round trip in each window.
func TestAStreamFillsALongPath(t *testing.T) {
	const size = 64 << 20
	ideal := size * 8 * time.Second / pathRate
	for _, tt := range []struct {
		name        string
		mux         network.Multiplexer
		least, most float64 // of the path's rate
	}{
		{"ours", New(), 0.96, 1},
		{"go-yamux", yamux.DefaultTransport, 0.5, 0.8},
	} {
		synctest.Test(t, func(t *testing.T) {
			out, in, _ := streamPair(t, tt.mux)
			began := time.Now()
			go send(t, out, size)
			if n, err := io.Copy(io.Discard, in); n != size || err != nil {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if share := ideal.Seconds() / time.Since(began).Seconds(); share < tt.least || share > tt.most {
				t.Errorf("%s: %.3f of the path was used, want %g to %g", tt.name, share, tt.least, tt.most)
			}
		})
	}
}

// TestWhatAPeerMayLeaveUnreadIsReserved: the reader stops after windows have
// grown; all that the far side can send then is within what the resource
// manager was asked for, and the session lives.
func TestWhatAPeerMayLeaveUnreadIsReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, scope := streamPair(t, New())
		var sent atomic.Int64
		go func() {
			b := make([]byte, 60_000)
			for {
				n, err := out.Write(b)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}()
		var read int64
		for read < 40<<20 {
			n, err := in.Read(make([]byte, 1<<20))
			if read += int64(n); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute) // the sender comes to a stop
		unread, reserved := sent.Load()-read, scope.reserved.Load()
		if unread > reserved || unread < reserved/2 {
			t.Errorf("%d bytes wait unread, %d are reserved", unread, reserved)
		}
		if _, err := in.Read(make([]byte, 1)); err != nil {
			t.Errorf("the stream after that: %v", err)
		}
		if err := in.Reset(); err != nil {
			t.Error(err)
		}
	})
}

func send(t *testing.T, s network.MuxedStream, size int) {
	b := make([]byte, 60_000)
	for size > 0 {
		n, err := s.Write(b[:min(size, len(b))])
		if err != nil {
			t.Error(err)
			return
		}
		size -= n
	}
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
}

// streamPair is a stream between two ends of a long path that has been used
// already, and the scope of the second end. All ends with the test.
func streamPair(t *testing.T, mux network.Multiplexer) (out, in network.MuxedStream, scope *countingScope) {
	t.Helper()
	near, far := longPath(t)
	scope = new(countingScope)
	dialer, err := mux.NewConn(near, false, &network.NullScope{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := mux.NewConn(far, true, scope)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialer.Close(); listener.Close() })
	if out, err = dialer.OpenStream(context.Background()); err != nil {
		t.Fatal(err)
	}
	if in, err = listener.AcceptStream(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the sessions measure their round trip
	return out, in, scope
}

// countingScope grants everything and counts what is reserved.
type countingScope struct {
	network.NullScope
	reserved atomic.Int64
}

func (s *countingScope) BeginSpan() (network.ResourceScopeSpan, error) { return s, nil }
func (s *countingScope) ReserveMemory(size int, _ uint8) error {
	s.reserved.Add(int64(size))
	return nil
}

const (
	pathDelay = 25 * time.Millisecond // one way
	pathRate  = 100_000_000           // bits per second
)

// longPath is a pair of connections with a delay and a rate. Must be called in
// a bubble.
func longPath(t *testing.T) (near, far net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	c, d := net.Pipe()
	var both sync.WaitGroup
	both.Go(func() { transmit(b, c) })
	both.Go(func() { transmit(c, b) })
	t.Cleanup(func() { b.Close(); c.Close(); both.Wait() })
	return a, d
}

type flight struct {
	bytes   []byte
	arrives time.Time
}

// transmit takes one direction of a path: bytes leave at its rate, one after
// another, and arrive after its delay.
func transmit(from, to net.Conn) {
	flying := make(chan flight, 1<<16)
	var arrivals sync.WaitGroup
	defer arrivals.Wait()
	defer close(flying)
	arrivals.Go(func() {
		for f := range flying {
			time.Sleep(time.Until(f.arrives))
			if _, err := to.Write(f.bytes); err != nil {
				from.Close()
			}
		}
		to.Close()
	})
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(n) * 8 * time.Second / pathRate)
		flying <- flight{append([]byte(nil), buf[:n]...), time.Now().Add(pathDelay)}
	}
}
