package muxer

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// halfRead is a stream on which the far side has sent 5 bytes and its end, of
// which this side has read 2.
func halfRead(t *testing.T) (*stream, *stingy) {
	t.Helper()
	scope := new(stingy)
	scope.left.Store(9)
	r := newRaw(t, scope)
	r.say(header{kind: kindData, flags: flagOpen | flagEnd, stream: 1, length: 5}, []byte("hello")...)
	s, err := r.ours.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	return s.(*stream), scope
}

// TestWhoRefusesTheRestDoesNotReadItsEnd: another goroutine that still reads
// would take what it has for all.
func TestWhoRefusesTheRestDoesNotReadItsEnd(t *testing.T) {
	for name, end := range map[string]func(*stream) error{
		"close read": (*stream).CloseRead,
		"close":      (*stream).Close,
		"reset":      (*stream).Reset,
		"reset of a stream that is over": func(s *stream) error {
			return errors.Join(s.CloseWrite(), s.Reset())
		},
	} {
		s, _ := halfRead(t)
		if err := end(s); err != nil {
			t.Error(name, err)
		}
		if n, err := s.Read(make([]byte, 9)); n != 0 || !errors.Is(err, network.ErrReset) {
			t.Errorf("%s: read %d, %v", name, n, err)
		}
	}
}

// TestWhatWasNotReadIsAccountedFor: though both sides have ended.
func TestWhatWasNotReadIsAccountedFor(t *testing.T) {
	for name, end := range map[string]func(*stream) error{
		"read":      func(s *stream) error { return allOf(s) },
		"close":     (*stream).Close,
		"reset":     (*stream).Reset,
		"close all": func(s *stream) error { return s.c.Close() },
	} {
		s, scope := halfRead(t)
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n := scope.reserved.Load(); n != firstWindow {
			t.Errorf("%s: %d bytes are reserved for 3 that were not read", name, n)
		}
		if err := end(s); err != nil {
			t.Error(name, err)
		}
		if n := scope.reserved.Load(); n != 0 {
			t.Errorf("%s: %d bytes are still reserved", name, n)
		}
		s.c.mu.Lock()
		if n := len(s.c.streams); n != 0 {
			t.Errorf("%s: %d streams", name, n)
		}
		s.c.mu.Unlock()
	}
}

// TestDeadlineOfAnEndedStreamIsNone: its timer would hold it. One that has passed
// hides no end.
func TestDeadlineOfAnEndedStreamIsNone(t *testing.T) {
	s, _ := halfRead(t)
	err := allOf(s)
	_ = s.SetReadDeadline(time.Unix(1, 0))
	if err = errors.Join(err, s.CloseWrite()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	s, _ = halfRead(t)
	_ = s.SetDeadline(time.Now().Add(time.Hour))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(time.Hour))
	if s.reads.timer != nil || s.writes.timer != nil {
		t.Error("a timer goes")
	}
}

// TestRoomIsAnyNumber: of 32 bits, where an int has no more too.
func TestRoomIsAnyNumber(t *testing.T) {
	r := newRaw(t, &network.NullScope{})
	r.say(header{kind: kindWindow, flags: flagOpen, stream: 1, length: 1<<32 - 1 - firstWindow})
	s, err := r.ours.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Error(n, err)
	}
}

// TestStreamsThatWereResetAreNotAccepted: a far side that opens and resets
// without end has nobody start work.
func TestStreamsThatWereResetAreNotAccepted(t *testing.T) {
	r := newRaw(t, &network.NullScope{})
	r.say(header{kind: kindWindow, flags: flagOpen, stream: 1})
	r.say(header{kind: kindWindow, flags: flagReset, stream: 1})
	r.say(header{kind: kindWindow, flags: flagOpen, stream: 3})
	r.say(header{kind: kindWindow, flags: flagOpen | flagReset, stream: 5})
	r.say(header{kind: kindPing, flags: flagOpen, length: 1})
	for {
		var b [headerSize]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			t.Fatal(err)
		}
		if h := parseHeader(b[:]); h.kind == kindPing && h.flags == flagTake {
			break // all was taken in
		}
	}
	if s, err := r.ours.AcceptStream(); err != nil || s.(*stream).id != 3 {
		t.Error(err)
	}
	if h := r.hears(); h != (header{kind: kindWindow, flags: flagTake, stream: 3}) {
		t.Errorf("%+v", h)
	}
}
