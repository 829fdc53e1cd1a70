package link_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// socketPair is both ends of a loopback connection, which end with the test.
func socketPair(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	l, err := nettest.NewLocalListener(network)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// forward joins a link to a conn, as a gateway does, until both directions are
// over.
func forward(l *link.Link, c net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := l.ReadFrom(c); err != nil {
			l.Reset(wire.Gone, err.Error())
			return
		}
		_ = l.CloseWrite()
	})
	if _, err := l.WriteTo(c); err == nil {
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	} else {
		c.Close()
	}
	both.Wait()
	c.Close()
	l.Close()
}

// opaque hides what a conn is.
type opaque struct{ net.Conn }

func (o opaque) CloseWrite() error { return o.Conn.(*net.TCPConn).CloseWrite() }

// ends are the kinds of conns that a link is joined to.
var ends = map[string]func(net.Conn) (net.Conn, string){
	"tcp":   func(c net.Conn) (net.Conn, string) { return c, "tcp" },
	"unix":  func(c net.Conn) (net.Conn, string) { return c, "unix" },
	"other": func(c net.Conn) (net.Conn, string) { return opaque{c}, "tcp" },
}

// joined is two conns with a link between them.
func joinedConns(t testing.TB, open func() (near, far *link.Link), kind string) (client, service net.Conn, stop func()) {
	t.Helper()
	wrap := ends[kind]
	_, network := wrap(nil)
	client, in := socketPair(t, network)
	out, service := socketPair(t, network)
	near, far := open()
	var both sync.WaitGroup
	for l, c := range map[*link.Link]net.Conn{near: in, far: out} {
		c, _ = wrap(c)
		both.Go(func() { forward(l, c) })
	}
	return client, service, func() {
		client.Close()
		service.Close()
		both.Wait()
	}
}

// opener opens links between two nodes on loopback.
func opener(t testing.TB) func() (near, far *link.Link) {
	t.Helper()
	a, b := newNode(t, link.Config{}, loopback["tcp-tls"]...), newNode(t, link.Config{}, loopback["tcp-tls"]...)
	came := serve(b)
	p := path(t, a, b, reach.Any)
	return func() (near, far *link.Link) { return open(t, a, p, came) }
}

func TestForwardedConnIsANetConn(t *testing.T) {
	open := opener(t)
	for kind := range ends {
		t.Run(kind, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				c1, c2, stop = joinedConns(t, open, kind)
				return c1, c2, stop, nil
			})
		})
	}
}

// TestForwardedBytesAndHalfClose: all comes, each direction ends by itself, and
// both links end well.
func TestForwardedBytesAndHalfClose(t *testing.T) {
	open := opener(t)
	for kind := range ends {
		t.Run(kind, func(t *testing.T) {
			var near, far *link.Link
			client, service, stop := joinedConns(t, func() (*link.Link, *link.Link) {
				near, far = open()
				return near, far
			}, kind)
			exchangeConns(t, client.(conn), service.(conn), 8<<20)
			stop()
			for _, l := range []*link.Link{near, far} {
				if <-l.Done(); wire.CodeOf(l.Err()) != wire.Closed {
					t.Errorf("it ended with %v", l.Err())
				}
			}
		})
	}
}

// TestEndOfALinkUnblocks: whatever a call waits for, and however the link ends.
func TestEndOfALinkUnblocks(t *testing.T) {
	open := opener(t)
	for name, tt := range map[string]struct {
		end  func(near, far *link.Link)
		want error
	}{
		"closed":   {func(near, _ *link.Link) { near.Close() }, net.ErrClosed},
		"reset":    {func(near, _ *link.Link) { near.Reset(wire.Limit, "enough") }, net.ErrClosed},
		"far side": {func(_, far *link.Link) { far.Reset(wire.Limit, "enough") }, wire.Limit},
	} {
		for kind := range ends {
			t.Run(name+"-"+kind, func(t *testing.T) {
				wrap := ends[kind]
				_, network := wrap(nil)
				mute, in := socketPair(t, network)   // nothing to read
				deaf, full := socketPair(t, network) // nothing can be written
				fill(t, full)
				in, _ = wrap(in)
				full, _ = wrap(full)
				near, far := open()
				errs := make(chan error, 2)
				go func() { _, err := near.ReadFrom(in); errs <- err }()
				go func() { _, err := near.WriteTo(full); errs <- err }()
				if _, err := far.Write([]byte("for nobody")); err != nil {
					t.Fatal(err)
				}
				tt.end(near, far)
				for range 2 {
					if err := <-errs; !errors.Is(err, tt.want) {
						t.Error(err)
					}
				}
				// The conns are as they were.
				go func() { _, _ = mute.Write([]byte("x")) }()
				if _, err := in.Read(make([]byte, 1)); err != nil {
					t.Errorf("a read after that: %v", err)
				}
				go func() { _, _ = io.Copy(io.Discard, deaf) }()
				if _, err := full.Write([]byte("x")); err != nil {
					t.Errorf("a write after that: %v", err)
				}
				near.Close()
				far.Close()
			})
		}
	}
}

// fill writes to a conn that nobody reads until it takes no more.
func fill(t *testing.T, c net.Conn) (filled int64) {
	t.Helper()
	for {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := c.Write(make([]byte, 64<<10))
		if filled += int64(n); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return filled
}

func TestFarSideThatReadsNoMoreUnblocksReadFrom(t *testing.T) {
	near, far := opener(t)()
	_, in := socketPair(t, "tcp")
	failed := make(chan error, 1)
	go func() { _, err := near.ReadFrom(in); failed <- err }()
	far.Close()
	if err := <-failed; wire.CodeOf(err) != wire.Closed {
		t.Error(err)
	}
	near.Close()
}

// TestSlowReaderHoldsTheWriterBack: what is on its way stays within what links
// and sockets buffer.
func TestSlowReaderHoldsTheWriterBack(t *testing.T) {
	open := opener(t)
	for kind := range ends {
		t.Run(kind, func(t *testing.T) {
			client, service, stop := joinedConns(t, open, kind)
			defer stop()
			var sent int64
			for {
				_ = client.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
				n, err := client.Write(make([]byte, 64<<10))
				if sent += int64(n); err != nil {
					break
				}
				if sent > 64<<20 {
					t.Fatal("it takes without end")
				}
			}
			if err := client.(conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, service); n != sent || err != nil {
				t.Errorf("%d bytes of %d came, %v", n, sent, err)
			}
		})
	}
}

func TestErrorsOfTheConnAreTold(t *testing.T) {
	near, far := opener(t)()
	peer, in := socketPair(t, "tcp")
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if _, err := near.ReadFrom(in); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	in.Close()
	if _, err := near.ReadFrom(in); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := near.ReadFrom(opaque{in}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := near.WriteTo(in); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	near.Close()
	far.Close()
}

// TestDeadlinesOfLinkAndConn: the link's counts where it waits for the link, the
// conn's where it waits for the conn.
func TestDeadlinesOfLinkAndConn(t *testing.T) {
	near, far := opener(t)()
	_, in := socketPair(t, "tcp")
	if err := errors.Join(near.SetReadDeadline(time.Unix(1, 0)), in.SetReadDeadline(time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	if _, err := near.WriteTo(in); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := near.ReadFrom(in); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := near.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := near.ReadFrom(in); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	near.Close()
	far.Close()
}

// TestWritesGoBetweenThoseOfReadFrom: one that waits for its conn is in nobody's
// way.
func TestWritesGoBetweenThoseOfReadFrom(t *testing.T) {
	near, far := opener(t)()
	out, in := socketPair(t, "tcp")
	finished := make(chan error, 1)
	go func() { _, err := near.ReadFrom(in); finished <- err }()
	buf := make([]byte, 1)
	for i, write := range []func([]byte) (int, error){out.Write, near.Write, out.Write, near.Write} {
		if _, err := write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, buf); err != nil || buf[0] != byte(i) {
			t.Errorf("%d came, not %d, %v", buf[0], i, err)
		}
	}
	out.Close()
	if err := <-finished; err != nil {
		t.Error(err)
	}
	near.Close()
	far.Close()
}

// TestSmallMessagesToAConnThatIsFull: what cannot be written at once is written
// later, in order, and the total is right; so it is when the conn empties in
// between.
func TestSmallMessagesToAConnThatIsFull(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		near, far := opener(t)()
		out, in := socketPair(t, network)
		filled := fill(t, in)
		written := make(chan int64, 1)
		go func() {
			n, err := far.WriteTo(in)
			if err != nil {
				t.Error(err)
			}
			in.Close()
			written <- n
		}()
		var sent bytes.Buffer
		messages := func(count int) {
			for i := range count {
				msg := bytes.Repeat([]byte{byte(sent.Len())}, 1+i*37%3000)
				sent.Write(msg)
				if _, err := near.Write(msg); err != nil {
					t.Fatal(err)
				}
			}
		}
		messages(6)
		if _, err := io.CopyN(io.Discard, out, filled); err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte, 1)
		go func() {
			b, err := io.ReadAll(out)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		messages(1000)
		near.Close()
		if b := <-got; !bytes.Equal(b, sent.Bytes()) {
			t.Errorf("%d bytes came of %d, or they differ", len(b), sent.Len())
		}
		if n := <-written; n != int64(sent.Len()) {
			t.Errorf("it says that it wrote %d bytes of %d", n, sent.Len())
		}
		far.Close()
	}
}
