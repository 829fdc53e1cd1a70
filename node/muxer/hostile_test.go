package muxer

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// raw is a far side that is written by hand: it dials.
type raw struct {
	net.Conn
	t    *testing.T
	ours *session
}

func newRaw(t *testing.T, scope network.PeerScope) raw {
	t.Helper()
	a, b := socketPair(t)
	c, err := New().NewConn(b, true, scope)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return raw{a, t, c.(*session)}
}

func (r raw) say(h header, body ...byte) {
	r.t.Helper()
	if _, err := r.Write(append(h.append(nil), body...)); err != nil {
		r.t.Fatal(err)
	}
}

// hears waits for a frame that is not a ping.
func (r raw) hears() header {
	r.t.Helper()
	for {
		var b [headerSize]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			r.t.Fatal(err)
		}
		if h := parseHeader(b[:]); h.kind != kindPing {
			return h
		}
	}
}

// TestViolationsEndTheConnection: and the far side is told.
func TestViolationsEndTheConnection(t *testing.T) {
	open := header{kind: kindWindow, flags: flagOpen, stream: 1}
	for name, frames := range map[string][]header{
		"another version":              {{version: 1}},
		"an unknown kind":              {{kind: kinds}},
		"a stream with our parity":     {{kind: kindWindow, flags: flagOpen, stream: 2}},
		"stream 0":                     {{kind: kindWindow, flags: flagOpen}},
		"a stream that is open":        {open, open},
		"more data than the window":    {open, {kind: kindData, stream: 1, length: firstWindow + 1}},
		"a first frame with too much":  {{kind: kindData, flags: flagOpen, stream: 1, length: 1 << 31}},
		"a window of more than 32 bit": {open, {kind: kindWindow, stream: 1, length: 1 << 31}, {kind: kindWindow, stream: 1, length: 1 << 31}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRaw(t, &network.NullScope{})
			for _, h := range frames {
				r.say(h)
			}
			for {
				h := r.hears()
				if h.kind == kindGoAway {
					if h.length != awayViolation {
						t.Errorf("GoAway with %d", h.length)
					}
					break
				}
			}
			<-r.ours.dead
			if err := r.ours.why(); wire.CodeOf(err) != wire.BadRequest {
				t.Error(err)
			}
		})
	}
}

// TestFramesForStreamsThatAreOver are skipped, with their data.
func TestFramesForStreamsThatAreOver(t *testing.T) {
	r := newRaw(t, &network.NullScope{})
	for _, f := range []flags{0, flagTake, flagEnd, flagReset} {
		r.say(header{kind: kindWindow, flags: f, stream: 5, length: 9})
		r.say(header{kind: kindData, flags: f, stream: 7, length: 3}, 'a', 'b', 'c')
	}
	r.say(header{kind: kindPing, flags: flagTake, length: 1234}) // that nobody has sent
	r.say(header{kind: kindData, flags: flagOpen | flagEnd, stream: 1, length: 2}, 'o', 'k')
	s, err := r.ours.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(s); string(b) != "ok" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	r.say(header{kind: kindData, stream: 1, length: 2}, 'n', 'o') // after its end
	r.say(header{kind: kindData, flags: flagReset, stream: 1, length: 2}, 'n', 'o')
	r.say(header{kind: kindWindow, flags: flagOpen, stream: 3})
	if _, err := r.ours.AcceptStream(); err != nil {
		t.Error(err)
	}
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a reset after the end: %v", err)
	}
}

// TestStreamsBeyondTheBacklogAreRefused: the others live.
func TestStreamsBeyondTheBacklogAreRefused(t *testing.T) {
	r := newRaw(t, &network.NullScope{})
	for i := range uint32(backlog + 1) {
		r.say(header{kind: kindWindow, flags: flagOpen, stream: 2*i + 1})
	}
	if h := r.hears(); h.flags != flagReset || h.stream != 2*backlog+1 || h.length != uint32(network.StreamResourceLimitExceeded) {
		t.Errorf("%+v", h)
	}
	for range backlog {
		if _, err := r.ours.AcceptStream(); err != nil {
			t.Fatal(err)
		}
	}
}

// stingy is a scope that grants so many spans, and counts what is reserved.
type stingy struct {
	network.NullScope
	left     atomic.Int64
	reserved atomic.Int64
}

func (s *stingy) BeginSpan() (network.ResourceScopeSpan, error) {
	if s.left.Add(-1) < 0 {
		return nil, network.ErrResourceLimitExceeded
	}
	return &span{of: s}, nil
}

type span struct {
	network.NullScope
	of   *stingy
	size int64
}

func (s *span) ReserveMemory(size int, _ uint8) error {
	s.size += int64(size)
	s.of.reserved.Add(int64(size))
	return nil
}
func (s *span) Done() { s.of.reserved.Add(-s.size) }

// TestStreamsBeyondTheResourcesAreRefused: go-yamux ends the connection, which
// others need. All that was reserved is given back.
func TestStreamsBeyondTheResourcesAreRefused(t *testing.T) {
	scope := new(stingy)
	scope.left.Store(1)
	r := newRaw(t, scope)
	for _, id := range []uint32{1, 3} {
		r.say(header{kind: kindWindow, flags: flagOpen, stream: id})
	}
	if h := r.hears(); h.flags != flagReset || h.stream != 3 {
		t.Errorf("%+v", h)
	}
	if _, err := r.ours.OpenStream(context.Background()); !errors.Is(err, network.ErrResourceLimitExceeded) {
		t.Error(err)
	}
	if _, err := r.ours.AcceptStream(); err != nil {
		t.Fatal(err)
	}
	if n := scope.reserved.Load(); n != firstWindow {
		t.Errorf("%d bytes are reserved", n)
	}
	r.ours.Close()
	if n := scope.reserved.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

// TestWhoReadsNothingIsGivenUp: one that pings and opens streams without end and
// reads none of the answers costs no memory for them.
func TestWhoReadsNothingIsGivenUp(t *testing.T) {
	for name, h := range map[string]header{
		"pings":   {kind: kindPing, flags: flagOpen},
		"streams": {kind: kindWindow, flags: flagOpen, stream: 1},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe() // it holds nothing
			defer a.Close()
			scope := new(stingy) // grants no stream
			c := newSession(b, true, scope.BeginSpan)
			defer c.Close()
			var frames []byte
			for range 1000 {
				frames = h.append(frames)
			}
			_ = a.SetWriteDeadline(time.Now().Add(20 * time.Second))
			for range 200 {
				if _, err := a.Write(frames); err != nil {
					break // it has had enough
				}
			}
			c.out.mu.Lock()
			if n := len(c.out.posted); n > postedMost+headerSize {
				t.Errorf("%d bytes wait", n)
			}
			c.out.mu.Unlock()
			if closed := c.IsClosed(); closed != (name == "streams") {
				t.Errorf("closed: %v", closed)
			}
		})
	}
}

// TestAFaultCostsOneConnection: its streams end, and nobody waits for it.
func TestAFaultCostsOneConnection(t *testing.T) {
	r := newRaw(t, &network.NullScope{})
	r.say(header{kind: kindWindow, flags: flagOpen, stream: 1})
	s, err := r.ours.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	broken := newSegment(1)
	broken.w = -1
	s.(*stream).buf.parts = []*segment{broken}
	r.say(header{kind: kindData, stream: 1, length: 1}, 'x')
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Error(err)
	}
	if err := r.ours.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzFrames has a far side write anything: no panic, and the connection ends
// when the bytes do.
func FuzzFrames(f *testing.F) {
	f.Add(header{kind: kindWindow, flags: flagOpen, stream: 1}.append(nil))
	f.Add(append(header{kind: kindData, flags: flagOpen | flagEnd, stream: 1, length: 2}.append(nil), "ok"...))
	f.Add(header{kind: kindPing, flags: flagOpen, length: 7}.append(header{kind: kindGoAway}.append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, near) }()
		c := newSession(far, true, (&network.NullScope{}).BeginSpan)
		own := unsaid(t, c) // number 2
		go func() { _, _ = io.Copy(io.Discard, own) }()
		go func() {
			for {
				s, err := c.AcceptStream()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(s, s) }()
			}
		}()
		_, _ = near.Write(b)
		near.Close()
		<-c.finished
		c.Close()
	})
}
