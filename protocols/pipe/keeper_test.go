package pipe

import (
	"io"
	"sync/atomic"
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
		pass(leastRound) // so long a look that began before counts
		channel(t, k)    // and no longer, however long nobody was there
	})
}

func TestKeeperGoesOnAtAnotherBinderWhenOneDies(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		w.meet()
		owner, other, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		id := owner.create(t, CreateOptions{Binders: Many})
		owner.listen(t, id, ListenOptions{Handler: echoing(t)})
		other.listen(t, id, ListenOptions{Handler: echoing(t), Capability: owner.letBind(t, id, other, 0)})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 2)
		first := channel(t, k).RemotePeer()
		dead, alive := owner, other
		if first == other.id() {
			dead, alive = other, owner
		}
		dead.crash()
		begun := time.Now()
		if c := channel(t, k); c.RemotePeer() != alive.id() {
			t.Error("a dead binder answered")
		}
		if took := time.Since(begun); took > 6*time.Second { // a path that died without a word is noticed by then
			t.Errorf("it took %v", took)
		}
		for range 10 {
			begun = time.Now()
			if c := channel(t, k); c.RemotePeer() != alive.id() {
				t.Error("a dead binder answered")
			}
			if took := time.Since(begun); took > rtt+2*time.Millisecond {
				t.Errorf("later it took %v", took)
			}
			pass(time.Second)
		}
	})
}

func TestKeeperGoesToAnotherBinderWhenOneRefuses(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		w.meet()
		owner, other, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		id := owner.create(t, CreateOptions{Binders: Many})
		owner.listen(t, id, ListenOptions{Handler: func(i *Incoming) { i.Refuse(wire.Refused) }})
		other.listen(t, id, ListenOptions{Handler: echoing(t), Capability: owner.letBind(t, id, other, 0)})
		for _, spread := range []bool{false, true} {
			k := dialer.keep(t, id, KeepOptions{Spread: spread})
			ready(t, k, 2)
			for range 10 {
				begun := time.Now()
				if c := channel(t, k); c.RemotePeer() != other.id() {
					t.Error("who refuses was taken")
				}
				if took := time.Since(begun); took > 2*rtt+2*time.Millisecond {
					t.Errorf("it took %v", took)
				}
			}
			k.Close()
		}
	})
}

func TestKeeperSpreadsByTheChannelsOfTwo(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		w.meet()
		owner, dialer := w.nodes[0], w.nodes[3]
		id := owner.create(t, CreateOptions{Binders: Many})
		owner.listen(t, id, ListenOptions{Handler: echoing(t)})
		for _, n := range w.nodes[1:3] {
			n.listen(t, id, ListenOptions{Handler: echoing(t), Capability: owner.letBind(t, id, n, 0)})
		}
		k := dialer.keep(t, id, KeepOptions{Spread: true})
		ready(t, k, 3)
		for range 60 {
			channel(t, k)
		}
		for _, b := range k.State().Binders {
			if b.Channels < 15 || b.Channels > 25 {
				t.Errorf("one has %d of 60 channels", b.Channels)
			}
		}
	})
}

func TestKeeperFollowsAPipeThatMoves(t *testing.T) {
	virtual(t, 5, func(t *testing.T, w *sim) {
		w.meet()
		owner, other, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		id := owner.create(t, CreateOptions{})
		owner.listen(t, id, ListenOptions{Handler: echoing(t)})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		old := channel(t, k)
		other.listen(t, id, ListenOptions{Handler: echoing(t), Capability: owner.letBind(t, id, other, 0)})
		begun := time.Now()
		if c := channel(t, k); c.RemotePeer() != other.id() {
			t.Error("the old binder took a channel")
		}
		if took := time.Since(begun); took > 4*rtt {
			t.Errorf("it took %v", took)
		}
		converse(t, old) // what is open stays
	})
}

func TestKeeperHearsOfAListenerThatEndsOrForbids(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		w.meet()
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{DialPolicy: DialListed, Binders: Many})
		l := binder.listen(t, id, ListenOptions{Handler: echoing(t), AllowAnyone: true})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		l.SetAllow(nil, false)
		pass(time.Second)
		wantCode(t, k.State().Err, wire.Forbidden)
		_, err := k.Dial(t.Context(), ChannelOptions{})
		wantCode(t, err, wire.Forbidden)
		l.SetAllow(nil, true)
		pass(leastRound)
		channel(t, k)
		l.Close()
		ready(t, k, 0)
		pass(rtt)
		wantCode(t, k.State().Err, wire.Unbound)
		pass(10 * time.Second)
		begun := time.Now()
		_, err = k.Dial(t.Context(), ChannelOptions{})
		wantCode(t, err, wire.Unbound)
		if took := time.Since(begun); took > 2*rtt {
			t.Errorf("it took %v", took)
		}
		binder.listen(t, id, ListenOptions{Handler: echoing(t), AllowAnyone: true})
		channel(t, k)
	})
}

func TestKeeperComesBackWhenItsPathDoes(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		w.meet()
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		binder.listen(t, id, ListenOptions{Handler: echoing(t)})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		for range 3 {
			cut(dialer, binder)
			channel(t, k) // waits for the path
		}
		w.mute(binder)
		_, err := k.Dial(t.Context(), ChannelOptions{})
		must(t, err) // the path is believed in as yet
		pass(30 * time.Second)
		begun := time.Now()
		_, err = k.Dial(t.Context(), ChannelOptions{})
		wantCode(t, err, wire.Unreachable)
		if took := time.Since(begun); took > 11*time.Second {
			t.Errorf("it took %v", took)
		}
		pass(10 * time.Minute)
		w.unmute(binder)
		pass(time.Minute)
		channel(t, k)
	})
}

func TestChannelThatIsOpeningIsNotOpenedTwiceWhenItsPathIsCut(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		w.meet()
		owner, other, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		id := owner.create(t, CreateOptions{Binders: Many})
		var handled atomic.Int32
		slow := func(i *Incoming) {
			handled.Add(1)
			<-time.After(2 * time.Second) // a service that takes its time
			echoing(t)(i)
		}
		owner.listen(t, id, ListenOptions{Handler: slow})
		other.listen(t, id, ListenOptions{Handler: slow, Capability: owner.letBind(t, id, other, 0)})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 2)
		c, err := k.Dial(t.Context(), ChannelOptions{})
		must(t, err)
		_, err = io.WriteString(c, "once")
		must(t, err)
		pass(time.Second)
		cut(dialer, owner)
		cut(dialer, other)
		hear(t, c, "once")
		if handled.Load() != 1 {
			t.Errorf("it was opened %d times", handled.Load())
		}
	})
}

func TestKeeperClosesAndLeavesConnectionsOpen(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		w.nodes[0].listen(t, id, ListenOptions{Handler: echoing(t)})
		for _, from := range w.nodes {
			k := from.Keep(id, KeepOptions{})
			c := channel(t, k)
			must(t, k.Close())
			must(t, k.Close())
			_, err := k.Dial(t.Context(), ChannelOptions{})
			wantCode(t, err, wire.Closed)
			converse(t, c)
			c.Close()
		}
		pass(10 * time.Second)
		if n := w.nodes[0].Usage().Conns; n != 0 {
			t.Errorf("%d connections are counted at the end", n)
		}
	})
}
