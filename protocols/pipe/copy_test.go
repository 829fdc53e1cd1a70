package pipe

import (
	"bytes"
	"crypto/rand"
	"io"
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
