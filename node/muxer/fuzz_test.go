package muxer

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a session whose two sides do what bytes tell: the far side sends
// frames of all sorts, this side uses its streams.
type scripted struct {
	t       *testing.T
	ours    *session
	far     net.Conn
	scope   *stingy
	streams []*stream
	script  []byte
}

func (f *scripted) next() byte {
	if len(f.script) == 0 {
		return 0
	}
	b := f.script[0]
	f.script = f.script[1:]
	return b
}

// size is a number of bytes: often one at a bound.
func (f *scripted) size() uint32 {
	b := f.next()
	bounds := [...]uint32{0, 1, 100, smallMost, smallMost + 1, recordSize, frameMost, firstWindow / 2, firstWindow, firstWindow + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1}
	return bounds[int(b)%len(bounds)]
}

// hostile has the far side send a frame. Its data may be cut off.
func (f *scripted) hostile(op byte) {
	h := header{kind: kind(op % uint8(kinds)), flags: flags(f.next() % 32), stream: uint32(f.next() % 8), length: f.size()}
	b := h.append(nil)
	if h.kind == kindData && h.length <= firstWindow+1 {
		b = append(b, make([]byte, h.length)...)
	}
	if f.next() == 77 && len(b) > headerSize {
		b = b[:len(b)-1] // the next frame is out of step
	}
	_ = f.far.SetWriteDeadline(time.Now().Add(time.Minute))
	_, _ = f.far.Write(b) // the session may have ended
}

// use has this side do something with one of its streams.
func (f *scripted) use(op byte) {
	if op%16 < 3 || len(f.streams) == 0 {
		f.more(op)
		return
	}
	s := f.streams[int(f.next())%len(f.streams)]
	soon := time.Now().Add(time.Second)
	switch op % 16 {
	case 3, 4, 5:
		_ = s.SetReadDeadline(soon)
		_, _ = s.Read(make([]byte, min(f.size(), 1<<20)))
	case 6, 7, 8:
		_ = s.SetWriteDeadline(soon)
		_, _ = s.Write(make([]byte, min(f.size(), 1<<20)))
	case 9:
		go func() { _, _ = s.Write(make([]byte, firstWindow+1)) }()
	case 10:
		go func() { _, _ = io.Copy(io.Discard, s) }()
	case 11:
		_ = s.CloseWrite()
	case 12:
		_ = s.CloseRead()
	case 13:
		_ = s.Close()
	case 14:
		_ = s.Reset()
	case 15:
		_ = s.SetDeadline(time.Time{})
	}
}

// more opens or accepts a stream, if there is one.
func (f *scripted) more(op byte) {
	if op%2 == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s, err := f.ours.OpenStream(ctx); err == nil {
			f.streams = append(f.streams, s.(*stream))
		}
		return
	}
	if len(f.ours.incoming) > 0 {
		s := <-f.ours.incoming // AcceptStream would wait where the stream is over already
		if s.take() {
			f.streams = append(f.streams, s)
		}
	}
}

// check looks at what the session holds for the far side.
func (f *scripted) check() {
	synctest.Wait()
	f.ours.mu.Lock()
	known := make(map[*stream]bool)
	for _, s := range f.ours.streams {
		known[s] = true
	}
	f.ours.mu.Unlock()
	reserved := int64(0)
	for s := range known {
		s.mu.Lock()
		held := 0
		for _, p := range s.buf.parts {
			held += len(p.b)
		}
		if s.buf.len > int(s.window) || s.window > lastWindow || held > 4*s.buf.len+128<<10 {
			f.t.Errorf("stream %d holds %d bytes, %d of them unread, of a window of %d", s.id, held, s.buf.len, s.window)
		}
		reserved += int64(s.window)
		s.mu.Unlock()
	}
	if n := f.scope.reserved.Load(); n != reserved {
		f.t.Errorf("%d bytes are reserved for windows of %d", n, reserved)
	}
	for _, s := range f.streams {
		s.mu.Lock()
		if !known[s] && !f.ours.IsClosed() && len(s.buf.parts) > 0 && !s.buf.filling {
			f.t.Errorf("stream %d is forgotten and holds %d bytes", s.id, s.buf.len)
		}
		s.mu.Unlock()
	}
	f.ours.out.mu.Lock()
	if n := len(f.ours.out.posted); n > postedMost+1<<10 {
		f.t.Errorf("%d bytes wait to be written", n)
	}
	f.ours.out.mu.Unlock()
}

// FuzzSession has both sides do anything, in exact time: whatever comes of it,
// nothing panics or hangs, a stream holds no more than its window, all that is
// held is reserved, and nothing is left at the end, no goroutine either.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0x80, 1, 1, 0, 0, 1})
	f.Add([]byte{1, 0x81, 1, 1, 0, 0, 1, 0x80, 0, 1, 8, 0, 3, 0, 8, 11, 0, 0x80, 4, 1, 2, 0})
	f.Add([]byte{2, 0, 6, 0, 8, 6, 0, 8, 0x81, 2, 2, 8, 0, 9, 0, 13, 0, 0x81, 8, 2, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 300 {
			return // the rest says no more
		}
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			s := &scripted{t: t, far: far, scope: new(stingy), script: script}
			mode := s.next()
			s.scope.left.Store(int64(1 + mode>>2))
			s.ours = newSession(near, mode&1 == 0, s.scope.BeginSpan)
			if mode&2 == 0 { // else the far side reads nothing
				go func() { _, _ = io.Copy(io.Discard, far) }()
			}
			for len(s.script) > 0 {
				if op := s.next(); op >= 0x80 {
					s.hostile(op)
				} else {
					s.use(op)
				}
				s.check()
			}
			began := time.Now()
			s.ours.Close()
			if d := time.Since(began); d != 0 {
				t.Errorf("closing took %s", d)
			}
			far.Close()
			s.check()
			if n := s.scope.reserved.Load(); n != 0 || len(s.ours.opening) != 0 {
				t.Errorf("%d bytes are reserved, %d streams being opened", n, len(s.ours.opening))
			}
		})
	})
}
