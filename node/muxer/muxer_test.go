package muxer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"go.uber.org/goleak"
	"golang.org/x/net/nettest"
)

// TestMain finds goroutines that outlive their connections.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pairings are who talks to whom.
var pairings = map[string][2]network.Multiplexer{
	"ours":            {New(), New()},
	"go-yamux dials":  {yamux.DefaultTransport, New()},
	"go-yamux serves": {New(), yamux.DefaultTransport},
}

// connPair is both ends of a connection over loopback TCP. They end with the test.
func connPair(t testing.TB, of [2]network.Multiplexer) (dialer, server network.MuxedConn) {
	t.Helper()
	a, b := socketPair(t)
	var err error
	if dialer, err = of[0].NewConn(a, false, &network.NullScope{}); err != nil {
		t.Fatal(err)
	}
	if server, err = of[1].NewConn(b, true, &network.NullScope{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialer.Close(); server.Close() })
	return dialer, server
}

func socketPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// streamsOf is both ends of a stream that the first side opens.
func streamsOf(t testing.TB, from, to network.MuxedConn) (near, far network.MuxedStream) {
	t.Helper()
	near, err := from.OpenStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = to.AcceptStream(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestBytesBothWays: many streams at once, opened by both sides, each with some
// megabytes each way in pieces of all sizes, and a half-close.
func TestBytesBothWays(t *testing.T) {
	for name, of := range pairings {
		t.Run(name, func(t *testing.T) {
			dialer, server := connPair(t, of)
			var all sync.WaitGroup
			for range 8 {
				for _, side := range [][2]network.MuxedConn{{dialer, server}, {server, dialer}} {
					near, far := streamsOf(t, side[0], side[1])
					all.Go(func() { exchange(t, near, far, 1<<20) })
				}
			}
			all.Wait()
		})
	}
}

func exchange(t *testing.T, a, b network.MuxedStream, size int) {
	var both sync.WaitGroup
	for _, way := range [][2]network.MuxedStream{{a, b}, {b, a}} {
		sent := make([]byte, size)
		rand.Read(sent)
		both.Go(func() {
			for left, n := sent, 1; len(left) > 0; n = n*3%200_000 + 1 {
				n = min(n, len(left))
				if _, err := way[0].Write(left[:n]); err != nil {
					t.Error(err)
					return
				}
				left = left[n:]
			}
			if err := way[0].CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if got, err := io.ReadAll(way[1]); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came of %d, or they differ: %v", len(got), len(sent), err)
			}
		})
	}
	both.Wait()
	for _, s := range []network.MuxedStream{a, b} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// streamConn is a stream as a net.Conn.
type streamConn struct {
	network.MuxedStream
	net.Conn
}

func (c streamConn) Read(b []byte) (int, error)         { return c.MuxedStream.Read(b) }
func (c streamConn) Write(b []byte) (int, error)        { return c.MuxedStream.Write(b) }
func (c streamConn) Close() error                       { return c.MuxedStream.Close() }
func (c streamConn) SetDeadline(t time.Time) error      { return c.MuxedStream.SetDeadline(t) }
func (c streamConn) SetReadDeadline(t time.Time) error  { return c.MuxedStream.SetReadDeadline(t) }
func (c streamConn) SetWriteDeadline(t time.Time) error { return c.MuxedStream.SetWriteDeadline(t) }

func TestStreamIsANetConn(t *testing.T) {
	dialer, server := connPair(t, pairings["ours"])
	a, b := socketPair(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		near, far := streamsOf(t, dialer, server)
		return streamConn{near, a}, streamConn{far, b}, func() { near.Reset(); far.Reset() }, nil
	})
}

func TestResetIsTold(t *testing.T) {
	for name, of := range pairings {
		t.Run(name, func(t *testing.T) {
			dialer, server := connPair(t, of)
			for _, side := range [][2]network.MuxedConn{{dialer, server}, {server, dialer}} {
				near, far := streamsOf(t, side[0], side[1])
				failed := make(chan error, 1)
				go func() { _, err := far.Read(make([]byte, 1)); failed <- err }()
				if err := near.ResetWithError(77); err != nil {
					t.Fatal(err)
				}
				var told *network.StreamError
				if err := <-failed; !errors.Is(err, network.ErrReset) || !errors.As(err, &told) || !told.Remote || told.ErrorCode != 77 {
					t.Errorf("the far side read: %v", err)
				}
				if _, err := far.Write([]byte("x")); !errors.Is(err, network.ErrReset) {
					t.Errorf("the far side wrote: %v", err)
				}
				if _, err := near.Read(make([]byte, 1)); !errors.As(err, &told) || told.Remote || told.ErrorCode != 77 {
					t.Errorf("this side read: %v", err)
				}
				if err := far.Reset(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestCloseUnblocksEverybody: readers, writers, who opens and who accepts.
func TestCloseUnblocksEverybody(t *testing.T) {
	dialer, server := connPair(t, pairings["ours"])
	near, _ := streamsOf(t, dialer, server)
	reader, _ := streamsOf(t, dialer, server)
	for range backlog { // the next has to wait
		if _, err := dialer.OpenStream(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	errs := make(chan error, 4)
	go func() { _, err := reader.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := near.Write(make([]byte, 1<<20)); errs <- err }()
	go func() { _, err := dialer.OpenStream(context.Background()); errs <- err }()
	go func() { _, err := dialer.AcceptStream(); errs <- err }()
	if err := dialer.Close(); err != nil {
		t.Error(err)
	}
	for range 4 {
		if err := <-errs; err == nil {
			t.Error("no error")
		}
	}
}

// TestOpensWaitForAcceptance: no more than the backlog is under way, and a far
// side that takes them lets others go on.
func TestOpensWaitForAcceptance(t *testing.T) {
	for name, of := range pairings {
		t.Run(name, func(t *testing.T) {
			dialer, server := connPair(t, of)
			for range backlog {
				if _, err := dialer.OpenStream(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if _, err := dialer.OpenStream(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one too many: %v", err)
			}
			if _, err := server.AcceptStream(); err != nil {
				t.Fatal(err)
			}
			if _, err := dialer.OpenStream(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStreamsThatAreOverAreForgotten(t *testing.T) {
	for name, end := range map[string]func(near, far network.MuxedStream) error{
		"closed": func(near, far network.MuxedStream) error { return errors.Join(near.Close(), far.Close()) },
		"reset":  func(near, _ network.MuxedStream) error { return near.Reset() },
		"by far": func(_, far network.MuxedStream) error { return far.Reset() },
		"drained": func(near, far network.MuxedStream) error {
			return errors.Join(near.CloseWrite(), far.CloseWrite(), allOf(near), allOf(far))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dialer, server := connPair(t, pairings["ours"])
			near, far := streamsOf(t, dialer, server)
			if err := end(near, far); err != nil {
				t.Fatal(err)
			}
			other, _ := streamsOf(t, dialer, server) // what was sent before has arrived
			second, _ := streamsOf(t, server, dialer)
			for _, c := range []network.MuxedConn{dialer, server} {
				c := c.(*session)
				c.mu.Lock()
				if len(c.streams) != 2 || len(c.opening) > 1 {
					t.Errorf("%d streams, %d being opened", len(c.streams), len(c.opening))
				}
				c.mu.Unlock()
			}
			other.Reset()
			second.Reset()
		})
	}
}

func allOf(s network.MuxedStream) error { _, err := io.Copy(io.Discard, s); return err }
