package gateway

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a TCP server of the test, which handles each connection.
type service struct {
	net.Listener
	serving sync.WaitGroup
}

// serve runs a service until the end of the test.
func serve(t testing.TB, handle func(*net.TCPConn)) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return serveOn(t, l, func(c net.Conn) { handle(c.(*net.TCPConn)) })
}

func serveOn(t testing.TB, l net.Listener, handle func(net.Conn)) *service {
	s := &service{Listener: l}
	s.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() {
				defer func() { _ = c.Close() }()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.serving.Wait()
	})
	return s
}

func (s *service) addr() string { return s.Addr().String() }

// echo sends back what comes, up to its end.
func echo(c *net.TCPConn) {
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	_ = c.CloseWrite()
}

// expose publishes a service for anybody under a name.
func (n *node) expose(t testing.TB, addr, name string, change ...func(*Rule)) Status {
	t.Helper()
	r := Rule{Kind: Expose, Target: addr, Pipe: name, Allow: []string{Anyone}}
	for _, c := range change {
		c(&r)
	}
	s, err := n.Add(t.Context(), r)
	must(t, err)
	return s
}

// forward leads a local listener to a pipe, and returns its address.
func (n *node) forward(t testing.TB, to Status, change ...func(*Rule)) string {
	t.Helper()
	r := Rule{Kind: Forward, Listen: "127.0.0.1:0", Pipe: to.Pipe.String()}
	for _, c := range change {
		c(&r)
	}
	s, err := n.Add(t.Context(), r)
	must(t, err)
	return s.Addr
}

// dial connects, until the end of the test.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c.(*net.TCPConn)
}

// converse sends some bytes and wants them back.
func converse(t testing.TB, c net.Conn, size int) {
	t.Helper()
	if err := conversation(c, size); err != nil {
		t.Fatal(err)
	}
}

func conversation(c net.Conn, size int) error {
	said := make([]byte, size)
	for i := range said {
		said[i] = byte(rand.Uint32())
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(said)
		wrote <- err
	}()
	got := make([]byte, size)
	_, err := io.ReadFull(c, got)
	if err := errors.Join(err, <-wrote); err != nil {
		return err
	}
	if !bytes.Equal(got, said) {
		return errors.New("other bytes came back")
	}
	return nil
}

// wantReset wants a connection to end with a reset, not in good order.
func wantReset(t testing.TB, c net.Conn) {
	t.Helper()
	b := make([]byte, 1<<10)
	for {
		_, err := c.Read(b)
		switch {
		case err == nil:
		case errors.Is(err, syscall.ECONNRESET):
			return
		default:
			t.Fatalf("the client's connection ends with %v, not a reset", err)
		}
	}
}
