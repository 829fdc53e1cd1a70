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

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
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

// wantRefusal wants a new client to be reset, which it may hear already when it
// connects.
func wantRefusal(t testing.TB, addr string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, time.Minute)
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	must(t, err)
	defer func() { _ = c.Close() }()
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	wantReset(t, c)
}

// says is a service that answers every byte with its word.
func says(word string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		for b := make([]byte, 1); ; {
			if _, err := c.Read(b); err != nil {
				return
			}
			if _, err := io.WriteString(c, word); err != nil {
				return
			}
		}
	}
}

// wantWord wants the service behind a connection to say its word.
func wantWord(t testing.TB, c net.Conn, word string) {
	t.Helper()
	_, err := c.Write([]byte{0})
	must(t, err)
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != word {
		t.Fatalf("the service says %q, %v", got, err)
	}
}

// dialNow connects if somebody listens.
func dialNow(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, time.Minute) }

// freePort is one that nobody listens on.
func freePort(t testing.TB) string {
	_, port, err := net.SplitHostPort(nobody(t))
	must(t, err)
	return port
}

// createOpen makes a pipe that everybody may dial.
func (n *node) createOpen(t testing.TB, name string) pipe.ID {
	t.Helper()
	p, err := n.pipes.Create(t.Context(), name, pipe.CreateOptions{})
	must(t, err)
	return p.ID
}

// grantBind lets another node serve a pipe of this one's.
func (n *node) grantBind(t testing.TB, id pipe.ID, to *node) []byte {
	t.Helper()
	text, _, err := n.pipes.Grant(t.Context(), id, pipe.GrantOptions{Right: identity.RightBind, To: identity.PeerPrincipal(to.id())})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	return envelope
}
