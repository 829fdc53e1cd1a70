package muxer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// wrapped hides a stream's type, as libp2p does.
type wrapped struct{ io.Reader }

// drive has loop read from s.
func drive(t testing.TB, c network.MuxedConn, s io.Reader, loop func(io.Reader)) {
	t.Helper()
	var d interface{ Drive(io.Reader, func()) bool }
	if !c.As(&d) {
		t.Fatal("the connection drives nothing")
	}
	r := wrapped{s}
	if !d.Drive(r, func() { loop(r) }) {
		t.Error("the stream is not known")
	}
}

// readAll is a loop that reads until it cannot.
func readAll(got *bytes.Buffer, err *error) func(io.Reader) {
	return func(r io.Reader) {
		buf := make([]byte, 3000)
		for {
			n, e := r.Read(buf)
			got.Write(buf[:n])
			if e != nil {
				*err = e
				return
			}
		}
	}
}

func TestDrivenLoopGetsWhatIsSent(t *testing.T) {
	for name, of := range pairings {
		dialer, server := connPair(t, of)
		near, far := streamsOf(t, dialer, server)
		own, other, at := far, near, server
		if _, ok := own.(*stream); !ok {
			own, other, at = near, far, dialer
		}
		sent := make([]byte, 3<<20)
		for i := range sent {
			sent[i] = byte(i * 7 >> 3)
		}
		go func() {
			for b := sent; len(b) > 0; {
				n := min(len(b), 1+rand.IntN(100_000))
				if _, err := other.Write(b[:n]); err != nil {
					t.Error(err)
				}
				b = b[n:]
			}
			other.CloseWrite()
		}()
		var got bytes.Buffer
		var err error
		drive(t, at, own, readAll(&got, &err))
		if err != io.EOF || !bytes.Equal(got.Bytes(), sent) {
			t.Errorf("%s: %d bytes, %v", name, got.Len(), err)
		}
	}
}

// TestDrivenLoopEnds with its stream, however that ends.
func TestDrivenLoopEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(c network.MuxedConn, near, far network.MuxedStream)
		want error
	}{
		"reset by the far side": {func(_ network.MuxedConn, _, far network.MuxedStream) { far.Reset() }, network.ErrReset},
		"reset":                 {func(_ network.MuxedConn, near, _ network.MuxedStream) { near.Reset() }, network.ErrReset},
		"closed for reading":    {func(_ network.MuxedConn, near, _ network.MuxedStream) { near.CloseRead() }, network.ErrReset},
		"its time is over": {func(_ network.MuxedConn, near, _ network.MuxedStream) {
			near.SetReadDeadline(time.Now().Add(time.Millisecond))
		}, os.ErrDeadlineExceeded},
		"the connection ends": {func(c network.MuxedConn, _, _ network.MuxedStream) { c.Close() }, network.ErrReset},
	} {
		dialer, server := connPair(t, [2]network.Multiplexer{New(), New()})
		near, far := streamsOf(t, dialer, server)
		var got bytes.Buffer
		var err error
		var ended sync.WaitGroup
		ended.Go(func() { drive(t, dialer, near, readAll(&got, &err)) })
		if _, err := far.Write([]byte("some")); err != nil {
			t.Fatal(err)
		}
		tt.end(dialer, near, far)
		ended.Wait()
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDrivenLoopDelaysNoOtherStream while it waits.
func TestDrivenLoopDelaysNoOtherStream(t *testing.T) {
	dialer, server := connPair(t, [2]network.Multiplexer{New(), New()})
	near, far := streamsOf(t, dialer, server)
	var got bytes.Buffer
	var err error
	var ended sync.WaitGroup
	ended.Go(func() { drive(t, server, far, readAll(&got, &err)) })
	for range 100 {
		a, b := streamsOf(t, dialer, server)
		exchange(t, a, b, 1000)
		if _, err := near.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	near.Close()
	ended.Wait()
	if got.Len() != 100 || err != io.EOF {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

func TestOnlyOwnStreamsAreDriven(t *testing.T) {
	dialer, _ := connPair(t, [2]network.Multiplexer{New(), New()})
	var d interface{ Drive(io.Reader, func()) bool }
	if !dialer.As(&d) || d.Drive(bytes.NewReader([]byte("x")), func() { t.Error("the loop ran") }) {
		t.Error("a reader of memory is a stream")
	}
}

// TestManyStreamsAreDrivenAtOnce: introductions do not cross.
func TestManyStreamsAreDrivenAtOnce(t *testing.T) {
	dialer, server := connPair(t, [2]network.Multiplexer{New(), New()})
	var ended sync.WaitGroup
	for range 50 {
		near, far := streamsOf(t, dialer, server)
		ended.Go(func() {
			var got bytes.Buffer
			var err error
			drive(t, server, far, readAll(&got, &err))
			if err != io.EOF || got.String() != "x" {
				t.Errorf("%q, %v", &got, err)
			}
		})
		ended.Go(func() {
			if _, err := near.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			near.Close()
		})
	}
	ended.Wait()
}
