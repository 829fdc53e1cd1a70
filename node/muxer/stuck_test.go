package muxer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// stuck is a session whose far side has read its first ping and reads no more.
// Must be called in a bubble.
func stuck(t *testing.T) (c *session, far net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	c = newSession(near, false, (&network.NullScope{}).BeginSpan)
	t.Cleanup(func() { c.Close(); far.Close() })
	if _, err := io.ReadFull(far, make([]byte, headerSize)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return c, far
}

// TestEndsDoNotWaitForTheConnection: that takes nothing; neither do those wait
// who open streams.
func TestEndsDoNotWaitForTheConnection(t *testing.T) {
	for name, end := range map[string]func(*stream) error{
		"close":       (*stream).Close,
		"close write": (*stream).CloseWrite,
		"reset":       (*stream).Reset,
		"open":        func(s *stream) error { _, err := s.c.OpenStream(context.Background()); return err },
		"close all":   func(s *stream) error { return s.c.Close() },
	} {
		for _, waiting := range []int{0, queuedMost} {
			synctest.Test(t, func(t *testing.T) {
				c, _ := stuck(t)
				other, s := unsaid(t, c), unsaid(t, c)
				if waiting > 0 {
					go func() { _, _ = other.Write(make([]byte, 32<<10)) }()
					synctest.Wait()
				}
				for n := 0; n < waiting; n += smallMost {
					if _, err := other.Write(make([]byte, smallMost)); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				if err := end(s); err != nil || time.Since(began) != 0 {
					t.Errorf("%s, %d bytes wait: after %s: %v", name, waiting, time.Since(began), err)
				}
			})
		}
	}
}

// TestWhoWaitsForATurnIsInterrupted: when its stream ends; and the far side hears
// nothing after the last word.
func TestWhoWaitsForATurnIsInterrupted(t *testing.T) {
	for name, end := range map[string]func(*stream) error{"close": (*stream).Close, "reset": (*stream).Reset} {
		synctest.Test(t, func(t *testing.T) {
			c, far := stuck(t)
			first, s := unsaid(t, c), unsaid(t, c)
			go func() { _, _ = first.Write(make([]byte, 32<<10)) }()
			synctest.Wait()
			began := time.Now()
			failed := make(chan error, 1)
			go func() { _, err := s.Write(make([]byte, 32<<10)); failed <- err }()
			synctest.Wait()
			if err := end(s); err != nil {
				t.Error(err)
			}
			if err := <-failed; err == nil || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 0 {
				t.Errorf("%s: after %s: %v", name, time.Since(began), err)
			}
			for _, f := range framesFrom(far) {
				if f.stream == s.id && f.kind == kindData {
					t.Errorf("%s: %d bytes after the last word", name, f.length)
				}
			}
		})
	}
}

// framesFrom reads the frames that are to be had at once.
func framesFrom(far net.Conn) (all []header) {
	_ = far.SetReadDeadline(time.Now().Add(time.Second))
	for {
		var b [headerSize]byte
		if _, err := io.ReadFull(far, b[:]); err != nil {
			return all
		}
		h := parseHeader(b[:])
		if all = append(all, h); h.kind == kindData {
			_, _ = io.CopyN(io.Discard, far, int64(h.length))
		}
	}
}

// TestDeadlineHoldsThoughTheConnectionIsStuck: what is on its way counts as
// written, and arrives if the far side reads after all.
func TestDeadlineHoldsThoughTheConnectionIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := stuck(t)
		s := unsaid(t, c)
		_ = s.SetWriteDeadline(time.Now().Add(time.Second))
		began := time.Now()
		n, err := s.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		for _, f := range framesFrom(far) {
			if f.kind == kindData {
				n -= int(f.length)
			}
		}
		if n != 0 {
			t.Errorf("%d bytes were written that did not arrive", n)
		}
	})
}

// TestPingsAreAnsweredThoughMuchWaits: go-yamux ends a connection for one that
// is not.
func TestPingsAreAnsweredThoughMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := stuck(t)
		s := unsaid(t, c)
		go func() { _, _ = s.Write(make([]byte, 32<<10)) }()
		synctest.Wait()
		if _, err := s.Write(make([]byte, smallMost)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(make([]byte, smallMost)); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write(header{kind: kindPing, flags: flagOpen, length: 99}.append(nil)); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(framesFrom(far), header{kind: kindPing, flags: flagTake, length: 99}) {
			t.Error("no answer")
		}
	})
}

// TestConnectionsEndIsNoStreamsEnd: who reads does not take it for the end of
// what is sent, nor for a deadline of its own.
func TestConnectionsEndIsNoStreamsEnd(t *testing.T) {
	for name, happens := range map[string]func(c *session, far net.Conn){
		"the far side goes":       func(_ *session, far net.Conn) { far.Close() },
		"it takes nothing":        func(c *session, _ net.Conn) { _ = c.out.post(header{kind: kindPing}) },
		"this side closes":        func(c *session, _ net.Conn) { c.Close() },
		"the far side is silent":  func(_ *session, far net.Conn) { go func() { _, _ = io.Copy(io.Discard, far) }() },
		"the far side breaks all": func(_ *session, far net.Conn) { _, _ = far.Write(make([]byte, 4*headerSize)[1:]); far.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			c, far := stuck(t)
			s := unsaid(t, c)
			failed := make(chan error, 2)
			go func() { _, err := s.Read(make([]byte, 1)); failed <- err }()
			go func() {
				var err error
				for err == nil {
					_, err = s.Write(make([]byte, 1<<10))
				}
				failed <- err
			}()
			happens(c, far)
			var word *wire.Error
			for range 2 {
				if err := <-failed; !errors.Is(err, network.ErrReset) || errors.As(err, &word) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !c.IsClosed() {
				t.Errorf("%s: the session lives", name)
			}
		})
	}
}

// TestOpeningOnAStuckConnectionCostsNoEndOfMemory: who opens and resets streams
// of his own is told that it is too much.
func TestOpeningOnAStuckConnectionCostsNoEndOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := stuck(t)
		for range postedMost {
			s, err := c.OpenStream(context.Background())
			if err != nil {
				if !errors.Is(err, network.ErrResourceLimitExceeded) || c.IsClosed() {
					t.Error(err)
				}
				return
			}
			_ = s.Reset()
		}
		t.Error("there is no limit")
	})
}
