package pipe

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// everywhere is a listen address on each transport.
func everywhere() map[reach.Transport]string {
	return map[reach.Transport]string{
		reach.TCP:          "/ip4/127.0.0.1/tcp/0",
		reach.QUIC:         "/ip4/127.0.0.1/udp/0/quic-v1",
		reach.WS:           "/ip4/127.0.0.1/tcp/0/ws",
		reach.WebTransport: "/ip4/127.0.0.1/udp/0/quic-v1/webtransport",
		reach.WebRTC:       "/ip4/127.0.0.1/udp/0/webrtc-direct",
	}
}

func TestConnIsANetConnOverEveryTransport(t *testing.T) {
	for transport, listen := range everywhere() {
		t.Run(string(transport), func(t *testing.T) {
			for _, kind := range []Type{TypeUnicast, TypeSecure} {
				t.Run(kind.String(), func(t *testing.T) {
					_, n := loopback(t, 2, listen)
					nettest.TestConn(t, pairs(t, n[1], n[0], CreateOptions{Type: kind}, DialOptions{Transport: transport}))
				})
			}
		})
	}
}

func TestConnWithinOneNodeIsANetConn(t *testing.T) {
	_, n := loopback(t, 1)
	nettest.TestConn(t, pairs(t, n[0], n[0], CreateOptions{}, DialOptions{}))
}

// pairs makes connected pairs: the dialer's end and the listener's.
func pairs(t *testing.T, from, to *node, c CreateOptions, d DialOptions) nettest.MakePipe {
	id := to.create(t, c)
	l := to.listen(t, id, ListenOptions{})
	return func() (c1, c2 net.Conn, stop func(), err error) {
		dialled, err := from.Dial(within(t), id, d)
		if err != nil {
			return nil, nil, nil, err
		}
		accepted, err := l.Accept()
		if err != nil {
			return nil, nil, nil, err
		}
		return dialled, accepted, func() { dialled.Close(); accepted.Close() }, nil
	}
}

// pair is one of pairs over the default transports.
func pair(t *testing.T) (dialled, accepted *Conn) {
	t.Helper()
	_, n := loopback(t, 2)
	c1, c2, stop, err := pairs(t, n[1], n[0], CreateOptions{}, DialOptions{})()
	must(t, err)
	t.Cleanup(stop)
	return c1.(*Conn), c2.(*Conn)
}

func TestCloseWriteEndsOneDirectionOnly(t *testing.T) {
	a, b := pair(t)
	_, err := io.WriteString(a, "question")
	must(t, err)
	must(t, a.CloseWrite())
	if _, err := a.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
	got, err := io.ReadAll(b)
	must(t, err)
	if string(got) != "question" {
		t.Errorf("got %q", got)
	}
	_, err = io.WriteString(b, "answer")
	must(t, err)
	must(t, b.CloseWrite())
	if got, err = io.ReadAll(a); err != nil || string(got) != "answer" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestResetIsAnErrorAtTheOtherSide(t *testing.T) {
	a, b := pair(t)
	must(t, a.Opened(within(t)))
	a.Reset()
	_, err := b.Read(make([]byte, 1))
	if err == io.EOF || wire.CodeOf(err) != wire.Gone {
		t.Errorf("read gives %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("own read gives %v", err)
	}
}

func TestDeadlineErrorIsTheStandardOne(t *testing.T) {
	a, _ := pair(t)
	a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !isNetTimeout(err) {
		t.Errorf("read gives %#v", err)
	}
	if code := wire.CodeOf(os.ErrDeadlineExceeded); code != wire.Timeout {
		t.Errorf("code %s", code)
	}
}

// isNetTimeout: callers ask whether the very error is a net.Error.
func isNetTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestDataWrittenBeforeCloseArrives(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	c, err := n[1].Dial(within(t), id, DialOptions{})
	must(t, err)
	_, err = io.WriteString(c, "last words")
	must(t, err)
	must(t, c.Close()) // before the far side can have accepted, as often as not
	far, err := l.Accept()
	must(t, err)
	defer far.Close()
	far.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenConnectionKeepsItsPathFromBeingTrimmed(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		n := w.nodes
		id := n[0].create(t, CreateOptions{})
		l := n[0].listen(t, id, ListenOptions{})
		dialled, err := n[1].Dial(within(t), id, DialOptions{})
		must(t, err)
		accepted, err := l.Accept()
		must(t, err)
		must(t, dialled.Opened(within(t)))
		kept := func() [2]bool {
			return [2]bool{
				n[1].host.ConnManager().IsProtected(n[0].id(), ""),
				n[0].host.ConnManager().IsProtected(n[1].id(), ""),
			}
		}
		pass(10 * time.Minute)
		if kept() != [2]bool{true, true} {
			t.Errorf("while open: kept %v", kept())
		}
		dialled.Close()
		accepted.Close()
		pass(2 * time.Minute) // the carrier waits for others
		if kept() != [2]bool{} {
			t.Errorf("after both ends have closed: kept %v", kept())
		}
	})
}
