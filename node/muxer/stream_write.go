package muxer

import (
	"math"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Write implements network.MuxedStream.
func (s *stream) Write(b []byte) (written int, err error) {
	for written < len(b) {
		n, err := s.claim(len(b) - written)
		if err != nil {
			return written, err
		}
		err = s.c.out.send(header{kind: kindData, stream: s.id, length: uint32(n)}, b[written:written+n], &s.writes)
		if err != nil {
			return written, s.unclaim(n, err)
		}
		written += n
	}
	return written, nil
}

// claim takes room for at most n bytes.
func (s *stream) claim(n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.out == isReset:
			return 0, s.outErr
		case s.out == isEnded:
			return 0, errClosed
		case s.writes.over():
			return 0, errTimeout
		case s.room > 0:
			n = int(min(uint32(min(n, frameMost)), s.room)) // which need not fit an int of 32 bits
			s.room -= uint32(n)
			return n, nil
		}
		s.writers.Wait()
	}
}

// unclaim gives room back that was not used, and says why.
func (s *stream) unclaim(n int, err error) error {
	s.mu.Lock()
	s.room += uint32(n)
	out, outErr := s.out, s.outErr
	s.mu.Unlock()
	switch {
	case out == isReset:
		return outErr
	case err != errTimeout:
		return s.c.broken()
	case out == isEnded:
		return errClosed
	}
	return err
}

// more takes in that n more bytes may be sent.
func (s *stream) more(n uint32) error {
	s.mu.Lock()
	if n > math.MaxUint32-s.room {
		s.mu.Unlock()
		return wire.Errorf(wire.BadRequest, "a window of more than 2^32 bytes")
	}
	s.room += n
	s.mu.Unlock()
	if n > 0 {
		s.writers.Broadcast()
	}
	return nil
}
