package muxer

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// half is the state of one direction of a stream.
type half uint8

const (
	isOpen half = iota
	isEnded
	isReset
)

// stream is a stream of a session.
type stream struct {
	// Fixed after newStream.
	c    *session
	id   uint32
	span network.ResourceScopeSpan

	reads, writes deadline

	mu               sync.Mutex // guards what follows
	readers, writers sync.Cond
	in, out          half
	inErr, outErr    error // of a reset

	buf     buffer
	allowed uint32    // bytes that the far side may still send
	window  uint32    // that it may send without any being read
	since   time.Time // when more was allowed last
	room    uint32    // bytes that may be sent

	driven *driven // its reader, if that is no goroutine

	asked bool // this side has opened it, and the far side has not taken it
	over  bool // it is forgotten
}

var (
	errTimeout = os.ErrDeadlineExceeded
	errReset   = errors.New("stream reset")
)

func newStream(c *session, id uint32, span network.ResourceScopeSpan) *stream {
	s := &stream{c: c, id: id, span: span, allowed: firstWindow, window: firstWindow, room: firstWindow, since: time.Now()}
	s.readers.L, s.writers.L = &s.mu, &s.mu
	s.reads.wake, s.writes.wake = s.wakeReaders, s.wakeWriters
	return s
}

// wakeReaderLocked has who reads look.
func (s *stream) wakeReaderLocked() {
	if s.driven != nil {
		s.driven.kick()
		return
	}
	s.readers.Broadcast()
}

// wakeReaders has those who wait look at their deadline.
func (s *stream) wakeReaders() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeReaderLocked()
}

func (s *stream) wakeWriters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers.Broadcast()
}

// take tells the far side that its stream is taken, unless that is over already:
// a far side that opens and resets streams without end is not to have much work
// done.
func (s *stream) take() bool {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	return !over && s.c.out.post(header{kind: kindWindow, flags: flagTake, stream: s.id}) == nil
}

// established notes that the far side has taken the stream, or it is over.
func (s *stream) established() {
	s.mu.Lock()
	was := s.asked
	s.asked = false
	s.mu.Unlock()
	if was {
		<-s.c.opening
	}
}

// settle forgets the stream if it is over and nothing of it waits to be read:
// that has to be accounted for. It is called with mu and unlocks it.
func (s *stream) settle() {
	if s.in == isReset {
		s.buf.drop()
	}
	s.settleIf(s.in != isOpen && s.out != isOpen && !s.unread())
}

// settleIf is settle for who knows whether the stream is over.
func (s *stream) settleIf(over bool) {
	over = over && !s.over
	s.over = s.over || over
	ended := s.out != isOpen
	s.mu.Unlock()
	if ended {
		s.writes.stop()
	}
	if over {
		s.reads.stop()
		s.c.forget(s)
		s.span.Done()
	}
}

// unread reports that the far side has ended, and all of it was not read.
func (s *stream) unread() bool { return s.in == isEnded && s.buf.len > 0 }

func (s *stream) resetLocked(err error) {
	if s.in == isOpen {
		s.in, s.inErr = isReset, err
	}
	if s.out == isOpen {
		s.out, s.outErr = isReset, err
	}
	s.wakeReaderLocked()
	s.writers.Broadcast()
}

// resetByFar takes in a reset.
func (s *stream) resetByFar(code network.StreamErrorCode) {
	s.mu.Lock()
	s.resetLocked(&network.StreamError{Remote: true, ErrorCode: code, TransportError: errReset})
	s.settle()
}

// abandon ends the stream with its session.
func (s *stream) abandon(err error) {
	s.mu.Lock()
	s.resetLocked(err)
	if s.in == isReset {
		s.buf.drop()
	}
	s.settleIf(true)
}

// Reset implements network.MuxedStream.
func (s *stream) Reset() error { return s.ResetWithError(0) }

// ResetWithError implements network.MuxedStream.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	s.mu.Lock()
	known := s.in == isOpen || s.out == isOpen // to the far side
	err := &network.StreamError{ErrorCode: code, TransportError: errReset}
	s.refuseLocked(err)
	s.resetLocked(err)
	s.settle()
	if !known {
		return nil
	}
	_ = s.c.out.post(header{kind: kindWindow, flags: flagReset, stream: s.id, length: uint32(code)}) // nobody is left to tell otherwise
	return nil
}

// CloseWrite implements network.MuxedStream.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	switch s.out {
	case isEnded:
		s.mu.Unlock()
		return nil
	case isReset:
		defer s.mu.Unlock()
		return s.outErr
	}
	s.out = isEnded
	s.writers.Broadcast()
	s.settle()
	if s.c.out.post(header{kind: kindWindow, flags: flagEnd, stream: s.id}) != nil {
		return s.c.broken()
	}
	return nil
}

// refuseLocked has this side read no more, what has arrived neither: who still
// reads is not to take its end for the far side's.
func (s *stream) refuseLocked(err error) {
	if s.in == isOpen || s.unread() {
		s.in, s.inErr = isReset, err
		s.wakeReaderLocked()
	}
}

// CloseRead implements network.MuxedStream. The far side is not told: yamux
// knows no such frame.
func (s *stream) CloseRead() error {
	s.mu.Lock()
	s.refuseLocked(network.ErrReset)
	s.settle()
	return nil
}

// Close implements network.MuxedStream.
func (s *stream) Close() error {
	_ = s.CloseRead() // it cannot fail
	return s.CloseWrite()
}

// SetDeadline implements network.MuxedStream.
func (s *stream) SetDeadline(t time.Time) error {
	s.reads.set(t)
	s.writes.set(t)
	return nil
}

// SetReadDeadline implements network.MuxedStream.
func (s *stream) SetReadDeadline(t time.Time) error { s.reads.set(t); return nil }

// SetWriteDeadline implements network.MuxedStream.
func (s *stream) SetWriteDeadline(t time.Time) error { s.writes.set(t); return nil }
