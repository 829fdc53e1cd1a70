package link_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"slices"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// TestLinkIsANetConn runs the conformance tests of x/net on links.
func TestLinkIsANetConn(t *testing.T) {
	for name, opts := range loopback {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t, link.Config{}, opts...), newNode(t, link.Config{}, opts...)
			came := serve(b)
			p := path(t, a, b, reach.Any)
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				near, far := open(t, a, p, came)
				return near, far, func() { near.Close(); far.Close() }, nil
			})
		})
	}
}

// TestBytesCrossALinkBothWays moves a few megabytes each way at once.
func TestBytesCrossALinkBothWays(t *testing.T) {
	for name, opts := range loopback {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t, link.Config{}, opts...), newNode(t, link.Config{}, opts...)
			near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
			exchange(t, near, far, 8<<20)
			<-near.Done()
			<-far.Done()
		})
	}
}

// exchange sends random bytes both ways, ends both streams, and compares.
func exchange(t *testing.T, near, far *link.Link, size int) {
	t.Helper()
	exchangeConns(t, near, far, size)
}

// conn is what a link is to its user.
type conn interface {
	net.Conn
	CloseWrite() error
}

func exchangeConns(t *testing.T, near, far conn, size int) {
	t.Helper()
	up, down := make([]byte, size), make([]byte, size)
	rand.Read(up)
	rand.Read(down)
	got := make(chan [2][]byte, 2)
	send := func(l conn, b []byte) {
		for part := range slices.Chunk(b, 32<<10) {
			if _, err := l.Write(part); err != nil {
				t.Error(err)
			}
		}
		if err := l.CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	receive := func(l conn, want []byte) {
		b, err := io.ReadAll(l)
		if err != nil {
			t.Error(err)
		}
		got <- [2][]byte{b, want}
	}
	go send(near, up)
	go send(far, down)
	go receive(near, down)
	go receive(far, up)
	for range 2 {
		if g := <-got; !bytes.Equal(g[0], g[1]) {
			t.Errorf("%d bytes came, %d were sent, or they differ: %x %x", len(g[0]), len(g[1]), sha256.Sum256(g[0]), sha256.Sum256(g[1]))
		}
	}
}
