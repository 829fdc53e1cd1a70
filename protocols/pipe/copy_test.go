package pipe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestConnCopiesByItself(t *testing.T) {
	_, n := loopback(t, 2, "/ip4/127.0.0.1/tcp/0")
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	for name, c := range map[string]struct {
		from *node
		o    DialOptions
	}{
		"a link": {n[1], DialOptions{}}, "a raw stream": {n[1], DialOptions{Raw: true}}, "within the node": {n[0], DialOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			id := n[0].create(t, CreateOptions{})
			n[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) {
				far, err := i.Accept()
				must(t, err)
				go func() {
					var got bytes.Buffer
					_, _ = far.WriteTo(&got)
					_, _ = far.ReadFrom(&got)
					far.Close()
				}()
			}})
			conn, err := c.from.Dial(within(t), id, c.o)
			must(t, err)
			defer conn.Close()
			if sent, err := conn.ReadFrom(bytes.NewReader(data)); err != nil || sent != int64(len(data)) { // from while it opens on
				t.Fatalf("%d bytes, %v", sent, err)
			}
			must(t, conn.CloseWrite())
			var back bytes.Buffer
			got, err := conn.WriteTo(&back)
			must(t, err)
			if got != int64(len(data)) || !bytes.Equal(back.Bytes(), data) {
				t.Errorf("%d bytes came back, not the same %d", got, len(data))
			}
		})
	}
}

func TestCopyTellsWhatFailed(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) { i.Refuse(wire.Refused) }})
	c, err := n[1].Dial(within(t), id, DialOptions{})
	must(t, err)
	defer c.Close()
	_, err = c.ReadFrom(iotest.ErrReader(wire.Busy))
	wantCode(t, err, wire.Busy)
	_, err = c.WriteTo(io.Discard)
	wantCode(t, err, wire.Refused)
	_, err = c.ReadFrom(bytes.NewReader([]byte("late")))
	wantCode(t, err, wire.Refused)
}

// drained has what comes of a connection written to w, and tells what came of it.
func drained(c *Conn, w io.Writer) <-chan error {
	over := make(chan error, 1)
	c.Drain(w, func(_ int64, err error) { over <- err })
	return over
}

// TestDrain begins when the connection has opened, and ends with its data.
func TestDrain(t *testing.T) {
	_, n := loopback(t, 2, "/ip4/127.0.0.1/tcp/0")
	for name, c := range map[string]struct {
		from *node
		o    DialOptions
	}{
		"a link": {n[1], DialOptions{}}, "a raw stream": {n[1], DialOptions{Raw: true}}, "within the node": {n[0], DialOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			drains := make(chan struct{})
			id := n[0].create(t, CreateOptions{})
			n[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) {
				<-drains
				far, err := i.Accept()
				must(t, err)
				_, err = far.Write([]byte("words"))
				must(t, err)
				must(t, far.CloseWrite())
			}})
			conn, err := c.from.Dial(within(t), id, c.o)
			must(t, err)
			defer conn.Close()
			var early, late bytes.Buffer
			over := drained(conn, &early)
			close(drains)
			if err := <-over; err != nil || early.String() != "words" {
				t.Errorf("%q, %v", &early, err)
			}
			if err := <-drained(conn, &late); err != nil || late.Len() > 0 {
				t.Errorf("after the end: %q, %v", &late, err)
			}
		})
	}
}

// TestDrainOfWhatNeverOpens says why.
func TestDrainOfWhatNeverOpens(t *testing.T) {
	_, n := loopback(t, 2)
	for name, tt := range map[string]struct {
		refused bool
		end     func(*Conn)
		want    error
	}{
		"refused": {refused: true, end: func(*Conn) {}, want: wire.Refused},
		"reset":   {end: (*Conn).Reset, want: net.ErrClosed},
		"closed":  {end: func(c *Conn) { c.Close() }, want: net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			answers := make(chan struct{})
			id := n[0].create(t, CreateOptions{})
			n[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) {
				<-answers
				if tt.refused {
					i.Refuse(wire.Refused)
				} else if far, err := i.Accept(); err == nil {
					far.Close()
				}
			}})
			c, err := n[1].Dial(within(t), id, DialOptions{})
			must(t, err)
			defer c.Close()
			over := drained(c, io.Discard)
			tt.end(c)
			close(answers)
			if err := <-over; !errors.Is(err, tt.want) {
				t.Error(err)
			}
		})
	}
}
