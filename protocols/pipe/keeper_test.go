package pipe

import (
	"io"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// echoing is a Handler that accepts, and answers with what it is told.
func echoing(t testing.TB) func(*Incoming) {
	return func(i *Incoming) {
		c, err := i.Accept()
		if err == ErrProbe {
			return
		}
		must(t, err)
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

// keep makes a Keeper, and closes it with the test.
func (n *node) keep(t testing.TB, id ID, o KeepOptions) *Keeper {
	k := n.Keep(id, o)
	t.Cleanup(func() { k.Close() })
	return k
}

// ready waits until n binders of a Keeper can be dialled.
func ready(t testing.TB, k *Keeper, n int) {
	t.Helper()
	for {
		changed := k.Changed()
		up := 0
		for _, b := range k.State().Binders {
			if b.Err == nil {
				up++
			}
		}
		if up == n {
			return
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatalf("%d binders can be dialled, expected %d: %+v", up, n, k.State())
		}
	}
}

// channel dials by a Keeper, and wants its words back.
func channel(t testing.TB, k *Keeper) *Conn {
	t.Helper()
	c, err := k.Dial(within(t), ChannelOptions{})
	must(t, err)
	t.Cleanup(c.Reset)
	converse(t, c)
	return c
}

func TestFirstByteIsAtTheHandlerAfterHalfARoundTrip(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{DialPolicy: DialListed, Binders: Many})
		heard := make(chan time.Time, 1)
		binder.listen(t, id, ListenOptions{
			Allow: []identity.Principal{dialer.principal()},
			Handler: func(i *Incoming) {
				c, err := i.Accept()
				must(t, err)
				defer c.Close()
				hear(t, c, "hello")
				heard <- time.Now()
				if i.Hops() != 3 || i.Principal() != dialer.principal() || i.Peer() != dialer.id() || i.Pipe() != id ||
					i.ID() != c.Link() || i.ID() == (link.ID{}) || i.Transport() != reach.QUIC || i.RemoteEndpoint() == nil || i.Probe() {
					t.Errorf("incoming %+v", i)
				}
				io.WriteString(c, "hello to you")
			},
		})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		for range 3 {
			pass(10 * time.Minute) // it stays warm
			begun := time.Now()
			c, err := k.Dial(t.Context(), ChannelOptions{Hops: 3})
			must(t, err)
			_, err = io.WriteString(c, "hello")
			must(t, err)
			if took := (<-heard).Sub(begun); took > oneWayLatency+time.Millisecond {
				t.Errorf("the first byte was there after %v", took)
			}
			hear(t, c, "hello to you")
			if took := time.Since(begun); took > rtt+2*time.Millisecond {
				t.Errorf("the first byte back was here after %v", took)
			}
			c.Close()
		}
		if legs := k.State().Binders[0]; legs.Transport != reach.QUIC || !legs.Direct || legs.RTT == 0 || legs.Channels != 0 || legs.Peer != binder.id() {
			t.Errorf("state %+v", k.State())
		}
	})
}

func TestKeeperOfAPipeThatNobodyServesFailsAtOnceAndFindsWhoComes(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		w.meet()
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{Binders: Many})
		k := dialer.keep(t, id, KeepOptions{})
		for i := range 20 {
			begun := time.Now()
			_, err := k.Dial(t.Context(), ChannelOptions{})
			wantCode(t, err, wire.Unbound)
			if took := time.Since(begun); took > 2*rtt {
				t.Errorf("dial %d failed after %v", i, took)
			}
			pass(300 * time.Millisecond)
		}
		pass(time.Hour)
		if wire.CodeOf(k.State().Err) != wire.Unbound {
			t.Errorf("state %+v", k.State())
		}
		binder.listen(t, id, ListenOptions{Handler: echoing(t)})
		channel(t, k) // with no pause
	})
}
