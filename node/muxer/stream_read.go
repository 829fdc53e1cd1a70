package muxer

import (
	"bufio"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Read implements network.MuxedStream.
func (s *stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		s.c.meets(s, b)
	}
	s.mu.Lock()
	for {
		if err := s.unreadable(); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		if s.buf.len > 0 || len(b) == 0 {
			break
		}
		if d := s.driven; d != nil {
			s.mu.Unlock()
			d.yield(struct{}{})
			s.mu.Lock()
			continue
		}
		s.readers.Wait()
	}
	n := s.buf.read(b)
	more := s.growLocked()
	if s.in == isEnded && s.buf.len == 0 && !s.over {
		s.settle()
	} else {
		s.mu.Unlock()
	}
	if more > 0 {
		_ = s.c.out.post(header{kind: kindWindow, stream: s.id, length: more}) // the next Read will see
	}
	return n, nil
}

// unreadable says why nothing can be read.
func (s *stream) unreadable() error {
	switch {
	case s.in == isReset:
		return s.inErr
	case s.reads.over():
		return errTimeout
	case s.in == isEnded && s.buf.len == 0:
		return io.EOF
	}
	return nil
}

// growLocked is how many more bytes the far side is to be allowed: none before
// that is half a window. The window doubles when half of it lasts no longer than
// four round trips.
func (s *stream) growLocked() uint32 {
	have := s.allowed + uint32(s.buf.len)
	if s.in != isOpen || have > s.window/2 {
		return 0
	}
	now := time.Now()
	if rtt := s.c.RTT(); rtt > 0 && now.Sub(s.since) < 4*rtt && s.window < lastWindow {
		if s.span.ReserveMemory(int(s.window), network.ReservationPriorityMedium) == nil {
			s.window *= 2
		}
	}
	s.since = now
	more := s.window - have
	s.allowed += more
	return more
}

// data takes in n bytes.
func (s *stream) data(r *bufio.Reader, n int) error {
	if err := s.allow(n); err != nil {
		return err
	}
	for n > 0 {
		space := s.space(n)
		if space == nil {
			return skip(r, n)
		}
		if _, err := io.ReadFull(r, space); err != nil {
			s.filled(0)
			return err
		}
		s.filled(len(space))
		n -= len(space)
	}
	return nil
}

// allow counts n bytes that the far side sends.
func (s *stream) allow(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if uint32(n) > s.allowed {
		return wire.Errorf(wire.BadRequest, "%d bytes on a stream that may have %d", uint32(n), s.allowed)
	}
	s.allowed -= uint32(n)
	return nil
}

// space is memory for at most n bytes that arrive, until filled; nil when nobody
// will read them.
func (s *stream) space(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock() // a panic is not to leave a lock behind
	if s.in != isOpen {
		return nil
	}
	return s.buf.space(n)
}

// filled says that n bytes were put into space.
func (s *stream) filled(n int) {
	if d := s.took(n); d != nil {
		d.data(n)
	}
}

// took is filled, but for a reader that is driven, which it returns.
func (s *stream) took(n int) *driven {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.filled(n)
	if s.driven == nil {
		s.readers.Broadcast()
	}
	return s.driven
}

// ended takes in that the far side sends no more.
func (s *stream) ended() {
	s.mu.Lock()
	if s.in == isOpen {
		s.in = isEnded
	}
	s.wakeReaderLocked()
	s.settle()
}
