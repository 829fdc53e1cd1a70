package link_test

import (
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// shaky is a link whose path is closed under it now and then.
type shaky struct {
	*link.Link
	calls atomic.Uint64
	every uint64
}

func (s *shaky) shake() {
	if s.calls.Add(1)%s.every != 0 {
		return
	}
	if p := s.Path(); !p.IsZero() {
		_ = p.Close()
	}
}

func (s *shaky) Read(b []byte) (int, error)  { s.shake(); return s.Link.Read(b) }
func (s *shaky) Write(b []byte) (int, error) { s.shake(); return s.Link.Write(b) }

// TestLinkIsANetConnWhilePathsBreak runs the conformance tests of x/net while
// every so many calls the path that carries the link is closed.
func TestLinkIsANetConnWhilePathsBreak(t *testing.T) {
	for name, opts := range loopback {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t, link.Config{}, opts...), newNode(t, link.Config{}, opts...)
			came := serve(b)
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				near, far := open(t, a, path(t, a, b, reach.Any), came)
				return &shaky{Link: near, every: 97}, &shaky{Link: far, every: 211}, func() { near.Close(); far.Close() }, nil
			})
		})
	}
}

// TestBytesCrossWhilePathsBreak moves data both ways while both ends' paths are
// closed again and again.
func TestBytesCrossWhilePathsBreak(t *testing.T) {
	for name, opts := range loopback {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t, link.Config{}, opts...), newNode(t, link.Config{}, opts...)
			near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
			exchangeConns(t, &shaky{Link: near, every: 50}, &shaky{Link: far, every: 101}, 8<<20)
			<-near.Done()
			<-far.Done()
			if _, legs := near.Legs(); legs < 3 {
				t.Errorf("the link had %d legs: nothing broke", legs)
			}
		})
	}
}
