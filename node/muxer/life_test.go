package muxer

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestRoundTripIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := longPath(t)
		a, _ := New().NewConn(near, false, &network.NullScope{})
		b, _ := New().NewConn(far, true, &network.NullScope{})
		defer a.Close()
		defer b.Close()
		time.Sleep(time.Second)
		var rtt interface{ RTT() time.Duration }
		if !a.As(&rtt) {
			t.Fatal("it does not tell")
		}
		if d := rtt.RTT(); d < 2*pathDelay || d > 2*pathDelay+time.Millisecond {
			t.Error(d)
		}
		time.Sleep(10 * time.Minute)
		if a.IsClosed() || b.IsClosed() {
			t.Error("an idle connection has ended")
		}
	})
}

// TestWhyAConnectionEndsIsTold: when nothing else is on its way, which could meet
// a socket that is closed and have TCP drop the word.
func TestWhyAConnectionEndsIsTold(t *testing.T) {
	for name, of := range pairings {
		synctest.Test(t, func(t *testing.T) {
			a, b := longPath(t)
			dialer, _ := of[0].NewConn(a, false, &network.NullScope{})
			server, _ := of[1].NewConn(b, true, &network.NullScope{})
			near, far := streamsOf(t, dialer, server)
			time.Sleep(pingFirst / 2)
			if err := dialer.CloseWithError(99); err != nil {
				t.Fatal(err)
			}
			var told *network.ConnError
			var word *wire.Error // would be shown as it is, rather than that the path is lost
			if _, err := far.Read(make([]byte, 1)); !errors.As(err, &told) || !told.Remote || told.ErrorCode != 99 || errors.As(err, &word) {
				t.Errorf("%s: the far side read: %v", name, err)
			}
			if _, err := near.Read(make([]byte, 1)); !errors.As(err, &told) || told.Remote || told.ErrorCode != 99 || errors.As(err, &word) {
				t.Errorf("%s: this side read: %v", name, err)
			}
			if _, err := server.AcceptStream(); err == nil || !server.IsClosed() {
				t.Errorf("%s: the far side lives", name)
			}
			if _, err := dialer.OpenStream(t.Context()); err == nil || !dialer.IsClosed() {
				t.Errorf("%s: this side lives", name)
			}
			server.Close()
		})
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, _ := streamPair(t, New())
		soon := func() time.Time { return time.Now().Add(20 * time.Second) }
		if err := near.SetDeadline(soon()); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		n, err := near.Write(make([]byte, 1<<20))
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
		if err := near.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = far.Write([]byte("x")) }()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Errorf("after that: %v", err)
		}
		if err := near.SetWriteDeadline(soon()); err != nil {
			t.Fatal(err)
		}
		n, err = near.Write(make([]byte, 1<<20)) // nobody reads
		if n != firstWindow || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
	})
}

// TestDeadlineDoesNotNeedTheClock: one that was put back when the timer is due.
func TestDeadlineDoesNotNeedTheClock(t *testing.T) {
	woken := false
	d := deadline{wake: func() { woken = true }}
	d.set(time.Now().Add(time.Hour))
	d.fire(d.sets - 1) // of a deadline before
	if woken || d.over() {
		t.Error("it has passed")
	}
	d.fire(d.sets)
	if <-d.wait(); !woken || !d.over() {
		t.Error("it has not passed")
	}
	d.stop()
}

// TestRoundTripIsTheLeastOfTheLast: what else a connection is busy with does not
// count, and what was long ago neither.
func TestRoundTripIsTheLeastOfTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := newSession(near, false, (&network.NullScope{}).BeginSpan)
		for i, tt := range []struct{ takes, want time.Duration }{
			{500, 500}, {20, 20}, {300, 20}, {100, 20}, {200, 20}, {200, 100}, {200, 100}, {400, 200},
		} {
			var b [headerSize]byte
			if _, err := io.ReadFull(far, b[:]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(tt.takes * time.Millisecond)
			h := parseHeader(b[:])
			h.flags = flagTake
			if _, err := far.Write(h.append(nil)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if d := c.RTT(); d != tt.want*time.Millisecond {
				t.Errorf("ping %d: %s, want %d ms", i, d, tt.want)
			}
		}
		c.Close()
		far.Close()
	})
}

// TestSilentFarSideIsFoundOut: within 40 s.
func TestSilentFarSideIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }() // it takes all and says nothing
		c := newSession(near, false, (&network.NullScope{}).BeginSpan)
		began := time.Now()
		<-c.dead
		if d := time.Since(began); d > 40*time.Second || wire.CodeOf(c.why()) != wire.Timeout {
			t.Errorf("after %s: %v", d, c.why())
		}
		c.Close()
		far.Close()
	})
}

// TestFarSideThatTakesNothingIsFoundOut: writers wait no longer.
func TestFarSideThatTakesNothingIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := newSession(near, false, (&network.NullScope{}).BeginSpan)
		s := unsaid(t, c)
		began := time.Now()
		var err error
		for err == nil {
			_, err = s.Write(make([]byte, 1<<10))
		}
		if d := time.Since(began); d > writeTime {
			t.Errorf("after %s: %v", d, err)
		}
		<-c.dead
		c.Close()
		far.Close()
	})
}

// TestTurnsAreGivenInOrderAndTimeOut: while one writes the others wait, as long
// as their deadlines allow, and lose no room for it.
func TestTurnsAreGivenInOrderAndTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := newSession(near, false, (&network.NullScope{}).BeginSpan)
		var streams []*stream
		for range 3 {
			streams = append(streams, unsaid(t, c))
		}
		results := make([]error, 3)
		done := make(chan int, 3)
		for i, s := range streams {
			if i == 1 {
				_ = s.SetWriteDeadline(time.Now().Add(time.Second))
			}
			go func() {
				_, results[i] = s.Write(make([]byte, 32<<10))
				done <- i
			}()
			synctest.Wait()
		}
		if i := <-done; i != 1 || results[i] == nil {
			t.Errorf("stream %d ended first: %v", i, results[i])
		}
		streams[1].mu.Lock()
		if streams[1].room != firstWindow {
			t.Errorf("room for %d", streams[1].room)
		}
		streams[1].mu.Unlock()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		for range 2 {
			if i := <-done; results[i] != nil {
				t.Errorf("stream %d: %v", i, results[i])
			}
		}
		c.Close()
		far.Close()
	})
}

// unsaid is an own stream of which the far side has not been told.
func unsaid(t *testing.T, c *session) *stream {
	t.Helper()
	c.opening <- struct{}{}
	s, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
