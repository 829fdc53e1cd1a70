package control

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// echo serves one connection of a pipe through the API and dials it.
func echo(t testing.TB, n *fakeNode, c *client.Client, ref string) {
	t.Helper()
	l, err := c.Listen(t.Context(), ref, api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := l.AcceptConn()
		if err == nil {
			_, err = io.Copy(conn, conn)
		}
		if err == nil {
			err = conn.CloseWrite()
		}
		served <- err
	}()
	conn, err := c.Dial(t.Context(), ref, api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	go func() {
		conn.Write(sent)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes back of %d, %v", len(got), len(sent), err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

// serveOnce has the fake node serve one connection of a pipe with fn.
func serveOnce(t testing.TB, n *fakeNode, id string, fn func(c fakeConn)) {
	t.Helper()
	l, err := n.ListenPipe(t.Context(), id, pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			fn(c.(fakeConn))
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
}

func TestBytesFlowBothWaysWithHalfClose(t *testing.T) {
	n, _, c := serve(t)
	echo(t, n, c, createPipe(t, c, "x").ID)
}

func TestEveryDialOptionArrives(t *testing.T) {
	n, _, c := serve(t)
	createPipe(t, c, "x")
	capability, _, err := n.Grant(t.Context(), pipe.ID{}, pipe.GrantOptions{To: n.Principal(), For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	envelope := []byte(nil)
	q := api.DialQuery{
		Transport: "tcp", Binder: []string{n.id.String(), "peer:" + n.id.String()}, Wait: api.Duration(time.Second),
		NoCache: true, Spread: true, Path: "direct-only",
	}
	_, err = c.Dial(t.Context(), "x", q)
	wantCode(t, err, wire.Unbound, "nobody serves")
	o := n.dialled[0]
	if o.Transport != reach.TCP || len(o.Binders) != 2 || o.Binders[1] != n.id || o.Wait != time.Second || !o.NoCache || !o.Spread ||
		o.PathPolicy != pipe.DirectOnly || !bytes.Equal(o.Capability, envelope) {
		t.Errorf("%+v", o)
	}
	// The fake's capability is not one; the text is refused before the dial.
	q.Capability = capability
	_, err = c.Dial(t.Context(), "x", q)
	wantCode(t, err, wire.BadRequest, "")
}

func TestEveryResolveOptionArrives(t *testing.T) {
	n, _, c := serve(t)
	createPipe(t, c, "x")
	_, err := c.Resolve(t.Context(), "x", api.ResolveQuery{Transport: "ws", NoCache: true, Fresh: true, Ask: []string{n.id.String()}, Wait: api.Duration(time.Minute)})
	wantCode(t, err, wire.Unbound, "nobody serves")
	if o := n.resolved[0]; o.Transport != reach.WS || !o.NoCache || !o.Fresh || len(o.Only) != 1 || o.Wait != time.Minute {
		t.Errorf("%+v", o)
	}
}

func TestDialBeforeJoiningSaysSo(t *testing.T) {
	n, _, c := serve(t)
	createPipe(t, c, "x")
	n.notReady = wire.Errorf(wire.NotReady, "none of the nodes to join through answers")
	_, err := c.Dial(t.Context(), "x", api.DialQuery{})
	wantCode(t, err, wire.NotReady, "to join through")
	st, err := c.Status(t.Context())
	if err != nil || st.Ready || st.NotReady == nil || st.NotReady.Code != "not-ready" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestRefusalIsAFailedDial(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) { far.Close() })
	n.refusal = wire.Errorf(wire.Forbidden, "the binder does not let you in")
	_, err := c.Dial(t.Context(), "x", api.DialQuery{})
	wantCode(t, err, wire.Forbidden, "let you in")
	if l, err := c.Connections(t.Context()); err != nil || len(l) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestCutIsNotTakenForAnEnd(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) {
		far.Write([]byte("half a"))
		// The byte back says that all has been read, so that the reset takes
		// nothing with it.
		far.Read(make([]byte, 1))
		far.Reset()
	})
	conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("k"))
	_, err = conn.Read(make([]byte, 10))
	if err == nil || err == io.EOF {
		t.Fatalf("a cut connection reads as %v", err)
	}
	about, err := conn.About(t.Context())
	if err != nil || about.State != api.ConnectionFailed || about.Problem == nil || about.Received != 6 {
		t.Errorf("%+v, %v", about, err)
	}
}

func TestFarSideIsDroppedWhenTheProgramDies(t *testing.T) {
	for _, ended := range []bool{false, true} {
		n, _, c := serve(t)
		p := createPipe(t, c, "x")
		dropped := make(chan error, 1)
		serveOnce(t, n, p.ID, func(far fakeConn) {
			// Reads the end that a half-close brings, and then the loss.
			_, err := io.Copy(io.Discard, far)
			for err == nil {
				_, err = far.Write(make([]byte, 1<<16))
			}
			dropped <- err
		})
		conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if ended {
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		conn.Close()
		if err := <-dropped; err == nil {
			t.Error("the far side was never told")
		}
	}
}

// TestIdleProgramThatDiesAfterItsEndIsNoticed: the far side is silent, so that
// nothing but the hang-up of the socket tells.
func TestIdleProgramThatDiesAfterItsEndIsNoticed(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	dropped := make(chan struct{})
	serveOnce(t, n, p.ID, func(far fakeConn) {
		io.Copy(io.Discard, far)
		far.SetReadDeadline(time.Time{})
		for {
			// TCP tells a reset to a reader that has seen the end only on the
			// next use; the node's side is watched instead.
			about, err := c.Connections(t.Context())
			if err != nil || len(about) == 1 && about[0].State == api.ConnectionFailed {
				close(dropped)
				return
			}
			<-n.states
		}
	})
	events := follow(t, c, 0)
	conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()
	conn.Close()
	for e := range events {
		if e.Kind == api.EventConnectionEnded {
			break
		}
	}
	close(n.states)
	<-dropped
}

func TestOfferedConnectionIsTakenOnce(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	far, near := offered(t, n, s, p.ID)
	defer far.Close()
	conn, err := c.Take(t.Context(), near.about.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = c.Take(t.Context(), near.about.ID)
	wantCode(t, err, wire.Taken, "taken already")
	_, err = c.Take(t.Context(), "nonsense")
	wantCode(t, err, wire.Unknown, "no connection")
}

func TestOfferedConnectionThatNobodyTakesIsDropped(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	far, near := offered(t, n, s, p.ID)
	defer far.Close()
	s.conns.expire(near)
	if _, err := far.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the far side reads %v", err)
	}
	_, err := c.Take(t.Context(), near.about.ID)
	wantCode(t, err, wire.Gone, "ended")
	about, err := c.Connection(t.Context(), near.about.ID)
	if err != nil || about.State != api.ConnectionFailed || about.Problem.Code != "timeout" {
		t.Errorf("%+v, %v", about, err)
	}
}

// offered registers one end of a connection as offered and returns the other.
func offered(t *testing.T, n *fakeNode, s *Server, id string) (net.Conn, *tracked) {
	t.Helper()
	pid, err := pipe.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	near, distant, err := connPair(n, pid)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.conns.add(near.(PipeConn), true)
	if err != nil {
		t.Fatal(err)
	}
	return distant, tr
}

func TestBindingEndsWithTheRequest(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	l, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	bound := n.listener(<-n.bound)
	if l.Pipe() != p.ID || bound == nil {
		t.Fatalf("%q, %v", l.Pipe(), bound)
	}
	_, err = c.Listen(t.Context(), "x", api.ListenRequest{})
	wantCode(t, err, wire.Taken, "served already")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	<-bound.closed
	again, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatalf("the pipe is not free after Close: %v", err)
	}
	again.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

func TestListenerLearnsThatItWasReplaced(t *testing.T) {
	n, _, c := serve(t)
	createPipe(t, c, "x")
	l, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bound := n.listener(<-n.bound)
	close(bound.replaced)
	failed := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		failed <- err
	}()
	<-l.Replaced()
	bound.Close()
	wantCode(t, <-failed, wire.Replaced, "another binder")
}

func TestTheEndOfAReplacedListenLeavesTheNextOneAlone(t *testing.T) {
	n, _, c := serve(t)
	createPipe(t, c, "x")
	old, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	bound := n.listener(<-n.bound)
	close(bound.replaced)
	failed := make(chan error, 1)
	go func() {
		_, err := old.Accept()
		failed <- err
	}()
	<-old.Replaced()
	bound.Close()
	wantCode(t, <-failed, wire.Replaced, "another binder")
	live, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	near, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatalf("the live listen is gone: %v", err)
	}
	defer near.Close()
	far, err := live.Accept()
	if err != nil {
		t.Fatalf("the live listen is gone: %v", err)
	}
	far.Close()
}

func TestAListenEndedByAnotherSaysSo(t *testing.T) {
	_, s, c := serve(t)
	p := createPipe(t, c, "x")
	l, err := c.Listen(t.Context(), "x", api.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, end := range []struct {
		query  string
		status int
	}{{"?listen=0123", http.StatusNotFound}, {"", http.StatusNoContent}} {
		status, _, body := do(t, httpClient(socketOf(s)), request(t, "DELETE", "http://panpipe/v1/pipes/"+p.ID+"/listen"+end.query, ""))
		if status != end.status {
			t.Errorf("DELETE with %q: %d %s", end.query, status, body)
		}
	}
	_, err = l.Accept()
	wantCode(t, err, wire.Closed, "ended through the node's API")
}

func TestCloseEndsWhatPassesThrough(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) { io.Copy(io.Discard, far) })
	conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after the node has left: %v", err)
	}
}

func TestDialStopsWhenTheCallerLeaves(t *testing.T) {
	_, _, c := serve(t)
	createPipe(t, c, "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Dial(ctx, "x", api.DialQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDialThroughput(b *testing.B) {
	n, _, c := serve(b)
	p := createPipe(b, c, "x")
	const size = 256 << 20
	serveOnce(b, n, p.ID, func(far fakeConn) {
		buf := make([]byte, 256<<10)
		for {
			if _, err := far.Write(buf); err != nil {
				return
			}
		}
	})
	conn, err := c.Dial(b.Context(), "x", api.DialQuery{})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 256<<10)
	b.SetBytes(size)
	for b.Loop() {
		for left := size; left > 0; {
			got, err := conn.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			left -= got
		}
	}
}
