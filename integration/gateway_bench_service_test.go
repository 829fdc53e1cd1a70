//go:build figures

package integration

import (
	"bytes"
	"context"
	endian "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// The services by TCP that links do not have.
const (
	pour = "bench/pour" // sends for as many nanoseconds as 8 bytes say
	deaf = "bench/deaf" // never reads
)

// serveGatewayChild is the process of a service ("service ADDRESS") or of a
// copying proxy ("proxy TARGET").
func serveGatewayChild(t *testing.T, asked string) {
	role, addr, _ := strings.Cut(asked, " ")
	at, serve := addr, serveNamed(tcpServices())
	if role == "proxy" {
		at, serve = "127.0.0.1:0", copyTo(addr)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(childAt, l.Addr())
	go acceptAll(l, serve)
	awaitParent()
	l.Close()
}

func tcpServices() map[string]func(stream) {
	all := services()
	var unheard holder
	all[pour], all[deaf] = servePour, unheard.take
	return all
}

// named begins a connection by TCP to a service with its name and a line end,
// in one piece with what is written first.
type named struct {
	*net.TCPConn
	name []byte // nil once it is sent
}

func openTCP(ctx context.Context, addr, service string) (stream, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &named{c.(*net.TCPConn), []byte(service + "\n")}, nil
}

func (n *named) Write(b []byte) (int, error) {
	if n.name == nil {
		return n.TCPConn.Write(b)
	}
	name := len(n.name)
	sent, err := n.TCPConn.Write(append(n.name, b...))
	n.name = nil
	return max(0, sent-name), err
}

// serveNamed gives each connection to the service that it names.
func serveNamed(all map[string]func(stream)) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		buf, n := make([]byte, 4<<10), 0
		for {
			m, err := c.Read(buf[n:])
			n += m
			if end := bytes.IndexByte(buf[:n], '\n'); end >= 0 {
				if serve := all[string(buf[:end])]; serve != nil {
					serve(&begun{c, buf[end+1 : n]})
					return
				}
			}
			if err != nil || n == len(buf) {
				c.Close()
				return
			}
		}
	}
}

// begun is a connection of which something has been read.
type begun struct {
	*net.TCPConn
	rest []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return b.TCPConn.Read(p)
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		b.rest = nil // so that what is held holds no buffer
	}
	return n, nil
}

func servePour(s stream) {
	defer s.Close()
	var asked [8]byte
	if _, err := io.ReadFull(s, asked[:]); err != nil {
		return
	}
	d := time.Duration(endian.BigEndian.Uint64(asked[:]))
	buf := make([]byte, pageWrite)
	for began := time.Now(); time.Since(began) < d; {
		if _, err := s.Write(buf); err != nil {
			return
		}
	}
	_ = s.CloseWrite() // its lack is noticed
	_, _ = drain(s)    // closing before the end is a reset
}

// poured counts what is sent in some time.
func poured(s opener, d time.Duration) (int64, error) {
	st, err := s.Open(context.Background(), pour)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	if _, err := st.Write(endian.BigEndian.AppendUint64(nil, uint64(d))); err != nil {
		return 0, err
	}
	return drain(st)
}

// copyTo is one of two copying proxies: it takes bytes into a buffer and sends
// them, as a program does that has something to do with them. The wrapping
// keeps io.Copy from having the kernel do that (splice).
func copyTo(target string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		defer c.Close()
		out, err := net.Dial("tcp", target)
		if err != nil {
			fmt.Fprintln(os.Stderr, "proxy:", err)
			return
		}
		defer out.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			pump(out.(*net.TCPConn), c)
		}()
		pump(c, out.(*net.TCPConn))
		<-done
	}
}

// pump copies one direction and its end.
func pump(to, from *net.TCPConn) {
	if _, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from}); err != nil {
		to.Close()
		return
	}
	_ = to.CloseWrite() // it may be over both ways
}
