package pipe

import (
	"io"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestResolveTakesOneRoundTripAndBindTwo(t *testing.T) {
	connected(t, 8, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		begun := time.Now()
		echo(w.nodes[0].listen(t, id, ListenOptions{}))
		if took := time.Since(begun); took > rtt+rtt/10 {
			t.Errorf("bind took %s", took)
		}
		far := w.add() // holds nothing
		w.meet()
		begun = time.Now()
		r, err := far.Resolve(within(t), id, ResolveOptions{})
		must(t, err)
		if took := time.Since(begun); took > rtt+rtt/10 {
			t.Errorf("resolve took %s, told %s", took, r.Took)
		}
		begun = time.Now()
		far.say(t, id, DialOptions{})
		if took := time.Since(begun); took > rtt+rtt/10 {
			t.Errorf("dial and first echo took %s over a path that was there", took)
		}
	})
}

func TestBindingIsRenewedAtHalfOfItsLife(t *testing.T) {
	virtual(t, 5, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		l := w.nodes[0].listen(t, id, ListenOptions{Life: 10 * time.Minute})
		first := l.Status().Binding
		pass(9*time.Minute/2 - time.Second)
		if got := l.Status().Binding.Seq; got != first.Seq {
			t.Errorf("renewed more than a twentieth of its life before half of it")
		}
		pass(30*time.Second + 2*time.Second)
		second := l.Status().Binding
		if second.Seq <= first.Seq || second.Term != first.Term {
			t.Errorf("second record seq %d term %d after seq %d term %d", second.Seq, second.Term, first.Seq, first.Term)
		}
		pass(24 * time.Hour)
		r, err := w.nodes[1].Resolve(within(t), id, ResolveOptions{Fresh: true})
		must(t, err)
		if age := time.Since(r.Bindings[0].Binding.Issued); age > 5*time.Minute+time.Second {
			t.Errorf("record of age %s after a day", age)
		}
	})
}

func TestRecordOfAVanishedBinderEndsWithItsLife(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		binder.listen(t, id, ListenOptions{Life: 20 * time.Minute})
		w.mute(binder)
		pass(9 * time.Minute)
		_, err := dialer.Resolve(within(t), id, ResolveOptions{Fresh: true})
		must(t, err)
		pass(22 * time.Minute)
		_, err = dialer.Resolve(within(t), id, ResolveOptions{Fresh: true})
		wantCode(t, err, wire.Unbound)
	})
}

func TestWaitEndsWhenABinderComesOrTheTimeIsOver(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		begun := time.Now()
		_, err := dialer.Resolve(t.Context(), id, ResolveOptions{Wait: time.Minute})
		wantCode(t, err, wire.Unbound)
		if took := time.Since(begun); took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("gave up after %s", took)
		}
		bound := make(chan time.Time, 1)
		go func() {
			pass(3 * time.Minute)
			echo(binder.listen(t, id, ListenOptions{}))
			bound <- time.Now()
		}()
		c, err := dialer.Dial(t.Context(), id, DialOptions{Wait: 10 * time.Minute})
		must(t, err)
		defer c.Reset()
		if late := time.Since(<-bound); late > 6*time.Second {
			t.Errorf("noticed the binder %s late", late)
		}
		_, err = io.WriteString(c, "x")
		must(t, err)
	})
}

func TestSilentOldBinderDelaysAMoveByTwoSeconds(t *testing.T) {
	connected(t, 5, func(t *testing.T, w *sim) {
		owner, other := w.nodes[0], w.nodes[1]
		id := owner.create(t, CreateOptions{})
		old := owner.listen(t, id, ListenOptions{})
		capability := owner.letBind(t, id, other, 0)
		w.mute(owner)
		begun := time.Now()
		other.listen(t, id, ListenOptions{Capability: capability})
		took := time.Since(begun)
		// Four nodes are left of five, so that the walk has to see the fifth fail.
		if took < replacedTime || took > 15*time.Second {
			t.Errorf("the move took %s", took)
		}
		if isClosed(old.Replaced()) {
			t.Error("the old binder heard of it through a dead network")
		}
		w.unmute(owner)
		// Back on the network, the old binder hears of it when it renews.
		pass(16 * time.Minute)
		select {
		case <-old.Replaced():
		default:
			t.Error("the old binder still serves after its renewal")
		}
	})
}

func TestAcknowledgedMoveIsDoneWithinTwoRoundTrips(t *testing.T) {
	connected(t, 8, func(t *testing.T, w *sim) {
		owner, other := w.nodes[0], w.nodes[1]
		id := owner.create(t, CreateOptions{})
		old := owner.listen(t, id, ListenOptions{})
		capability := owner.letBind(t, id, other, 0)
		_, err := other.Resolve(within(t), id, ResolveOptions{})
		must(t, err)
		begun := time.Now()
		other.listen(t, id, ListenOptions{Capability: capability})
		if took := time.Since(begun); took > 2*rtt+rtt/5 {
			t.Errorf("the move took %s", took)
		}
		<-old.Replaced()
	})
}

func TestWithdrawalIsBounded(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		l := w.nodes[0].listen(t, id, ListenOptions{})
		w.mute(w.nodes[0])
		begun := time.Now()
		l.Close()
		if took := time.Since(begun); took > withdrawTime+time.Second {
			t.Errorf("Close took %s on a dead network", took)
		}
		w.unmute(w.nodes[0])
	})
}

func TestChangedAddressesAreStoredAtOnce(t *testing.T) {
	virtual(t, 4, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		w.nodes[0].listen(t, id, ListenOptions{})
		a, err := ma.NewMultiaddr("/ip4/1.2.3.4/udp/9/quic-v1")
		must(t, err)
		w.nodes[0].move(a)
		pass(5 * time.Second)
		r, err := w.nodes[2].Resolve(within(t), id, ResolveOptions{Fresh: true})
		must(t, err)
		if got := r.Bindings[0].Binding.Endpoints; len(got) != 1 || !got[0].Equal(a) {
			t.Errorf("endpoints %v", got)
		}
	})
}

func TestListenerEndsWithItsCapability(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		capability := w.nodes[0].grant(t, id, GrantOptions{
			Right: identity.RightBind, To: w.nodes[1].principal(), For: time.Hour,
		})
		l := w.nodes[1].listen(t, id, ListenOptions{Capability: capability})
		begun := time.Now()
		_, err := l.Accept()
		wantCode(t, err, wire.Expired)
		if took := time.Since(begun); took > time.Hour+time.Minute {
			t.Errorf("served for %s", took)
		}
		_, err = w.nodes[2].Resolve(within(t), id, ResolveOptions{Fresh: true})
		wantCode(t, err, wire.Unbound)
	})
}

func TestExpiredCapabilityBindsNothing(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		capability := w.nodes[0].grant(t, id, GrantOptions{
			Right: identity.RightBind, To: w.nodes[1].principal(), For: time.Minute,
		})
		pass(time.Minute)
		_, err := w.nodes[1].Listen(within(t), id, ListenOptions{Capability: capability})
		wantCode(t, err, wire.Expired)
		if wire.NextOf(err) == "" {
			t.Error("the error does not say what to do next")
		}
	})
}
