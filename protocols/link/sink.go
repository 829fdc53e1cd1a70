package link

import (
	"errors"
	"os"
	"syscall"
)

// sink is the conn of a WriteTo that waits for data. Whoever brings few bytes
// then writes them himself, as far as that can be done without waiting: waking
// the other goroutine costs more than the write. Guarded by the link's lock but
// for a write that is under way.
type sink struct {
	raw     syscall.RawConn
	try     func(fd uintptr) bool // sink.once
	waiting bool                  // in takeParts
	busy    bool                  // somebody writes
	missed  bool                  // what WriteTo was woken for meanwhile
	rest    []byte                // that could not be written at once; WriteTo's turn
	total   int64                 // bytes that were written so
	err     error                 // why no more can be

	// Of the write under way.
	b []byte
	n int
	e error
}

func newSink(raw syscall.RawConn) *sink {
	s := &sink{raw: raw}
	s.try = s.once
	return s
}

// once writes what it can.
func (s *sink) once(fd uintptr) bool {
	s.n, s.e = writeRaw(fd, s.b)
	return true
}

// takesLocked reports that bytes which stand at offset off may be written at
// once.
func (s *sink) takesLocked(l *Link, off uint64) bool {
	return s != nil && s.waiting && !s.busy && s.err == nil && len(s.rest) == 0 && l.usable(&l.reads) == nil && l.m.passes(off)
}

// write writes b, which has been counted as read. It is called with busy set,
// by whoever set it, without the lock.
func (s *sink) write(l *Link, b []byte) {
	s.b, s.n, s.e = b, 0, nil
	err := s.raw.Write(s.try)
	if err == nil && !errors.Is(s.e, errNothing) {
		err = s.e
	}
	s.b = nil
	l.mu.Lock()
	s.busy = false
	s.total += int64(s.n)
	s.rest = append(s.rest, b[s.n:]...)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // that may have been moved when the rest is written
		s.err = err
	}
	wake := s.missed || s.err != nil || len(s.rest) > 0
	s.missed = false
	l.mu.Unlock()
	if wake {
		l.readers.Broadcast()
	}
}
