package pipe

import (
	"net"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestDialWaitsThoughAStaleRecordNamesABinderThatRefuses(t *testing.T) {
	for _, o := range []DialOptions{{Wait: time.Minute}, {Wait: time.Minute, accepted: true}} {
		_, n := loopback(t, 3)
		id := n[0].create(t, CreateOptions{})
		n[0].listen(t, id, ListenOptions{}).end(net.ErrClosed) // as after a crash: no tombstone
		dialled := make(chan *Conn, 1)
		go func() {
			c, err := n[1].Dial(within(t), id, o)
			if err != nil {
				t.Error(err)
			}
			dialled <- c
		}()
		n[0].tally.await(t, EventAccept, 2) // it was refused, and came again
		echo(n[0].listen(t, id, ListenOptions{}))
		if c := <-dialled; c != nil {
			converse(t, c)
			c.Reset()
		}
	}
}

func TestDialThatWaitsInVainEndsWithItsTime(t *testing.T) {
	connected(t, 3, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		binder.listen(t, id, ListenOptions{}).end(net.ErrClosed)
		begun := time.Now()
		_, err := dialer.Dial(t.Context(), id, DialOptions{Wait: 20 * time.Second, accepted: true, Transport: "quic-v1"})
		if err == nil {
			t.Fatal("dialled")
		}
		wantCode(t, err, wire.Unbound)
		if took := time.Since(begun); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("gave up after %s", took)
		}
		if wire.NextOf(err) == "" {
			t.Error("the error does not say what to do next")
		}
	})
}

func TestForbiddenDialDoesNotWait(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{DialPolicy: DialCapability})
	n[0].listen(t, id, ListenOptions{})
	err := n[1].opened(t, id, DialOptions{Wait: time.Hour})
	wantCode(t, err, wire.Forbidden)
}

func TestRevokedSuccessorIsNotNamedAndOlderTermsStayDead(t *testing.T) {
	_, n := loopback(t, 5)
	owner, other, dialer := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	owner.listen(t, id, ListenOptions{})
	old, err := dialer.Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	text, _, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightBind, To: other.principal()})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	other.listen(t, id, ListenOptions{Capability: envelope})
	_, err = dialer.Resolve(within(t), id, ResolveOptions{Fresh: true})
	must(t, err)
	must(t, owner.Revoke(within(t), text))
	for _, from := range n[2:] {
		_, err = from.Dial(within(t), id, DialOptions{accepted: true})
		wantCode(t, err, wire.Unbound)
		if wire.NextOf(err) == "" {
			t.Errorf("%v: the error does not say what to do next", err)
		}
	}
	// A node that has slept through it all still gives the first record.
	n[3].cache.add(id, time.Now(), old.Bindings...)
	_, err = dialer.Resolve(within(t), id, ResolveOptions{Fresh: true})
	wantCode(t, err, wire.Unbound)
	// Its binder comes back: that counts.
	echo(owner.listen(t, id, ListenOptions{}))
	dialer.say(t, id, DialOptions{})
}

func TestVoidedTermLeavesLowerOnesToTheirBindersWord(t *testing.T) {
	a, b := newActor(t, 1), newActor(t, 2)
	adv := Advertisement{Binders: Exclusive, Owner: a.who}
	var k known
	lower := heard(Binding{Advertisement: adv, Binder: a.who, Seq: 1, Term: 1})
	k.add(lower)
	k.add(heard(Binding{Advertisement: adv, Binder: b.who, Seq: 1, Term: 6}))
	k.void(func(x Binding) bool { return x.Binder == b.who })
	if live := k.live(time.Now()); len(live) != 0 || k.highestTerm() != 6 {
		t.Errorf("live %+v, highest term %d", live, k.highestTerm())
	}
	if k.add(lower); len(k.records) != 0 {
		t.Error("an old copy brings the lower term back")
	}
	lower.Origin = OriginAuthoritative
	if k.add(lower); len(k.live(time.Now())) != 1 {
		t.Error("the binder's own word does not count")
	}
}

func TestOwnHolderTableFeedsTheCache(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	_, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	first := l.Status().Binding.Seq
	stored := n[1].tally.count(EventStore)
	l.renewNow()
	n[1].tally.await(t, EventStore, stored+1)
	r, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	if got := r.Bindings[0]; got.Binding.Seq <= first || got.Origin != OriginCached {
		t.Errorf("resolved seq %d (%s) though a newer one than %d is held here", got.Binding.Seq, got.Origin, first)
	}
}

func TestCachedAgeGoesOn(t *testing.T) {
	connected(t, 3, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		w.nodes[0].listen(t, id, ListenOptions{})
		pass(2 * time.Minute)
		far := w.add() // holds nothing
		w.meet()
		_, err := far.Resolve(within(t), id, ResolveOptions{})
		must(t, err)
		pass(3 * time.Minute)
		r, err := far.Resolve(within(t), id, ResolveOptions{})
		must(t, err)
		if age := r.Bindings[0].Age; age < 5*time.Minute-time.Second || age > 5*time.Minute+time.Second {
			t.Errorf("age %s", age)
		}
	})
}

func TestGrantsTellWhatIsRevokedAndWhatIsOver(t *testing.T) {
	virtual(t, 1, func(t *testing.T, w *sim) {
		n := w.nodes[0]
		id := n.create(t, CreateOptions{})
		to := GrantOptions{Right: identity.RightDial, To: newActor(t, 1).who, For: time.Hour}
		text, _, err := n.Grant(within(t), id, to)
		must(t, err)
		must(t, n.Revoke(within(t), text))
		n.grant(t, id, to)
		to.For = time.Minute
		n.grant(t, id, to)
		pass(2 * time.Minute)
		got, err := n.Grants(within(t), id)
		must(t, err)
		if len(got) != 3 || !got[0].Revoked || got[0].Expired || got[1].Revoked || got[1].Expired || got[2].Revoked || !got[2].Expired {
			t.Errorf("grants %+v", got)
		}
		to.Term = 3
		_, _, err = n.Grant(within(t), id, to)
		wantCode(t, err, wire.BadRequest)
		to.Term, to.For = 0, -time.Second
		_, _, err = n.Grant(within(t), id, to)
		wantCode(t, err, wire.BadRequest)
		_, err = n.Create(within(t), "", CreateOptions{})
		wantCode(t, err, wire.BadRequest)
	})
}

func TestWhoeverStoresRecordsDoesNotSetThePaceOfAsking(t *testing.T) {
	connected(t, 3, func(t *testing.T, w *sim) {
		waiting, asked := w.nodes[0], w.nodes[1]
		id := w.nodes[2].create(t, CreateOptions{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, err := waiting.Resolve(t.Context(), id, ResolveOptions{Wait: 10 * time.Second})
			if wire.CodeOf(err) != wire.Unbound {
				t.Error(err)
			}
		}()
		before := asked.tally.count(EventQuery)
		for !isClosed(ended) {
			waiting.cache.tell(id) // as for each record that is stored
			pass(10 * time.Millisecond)
		}
		if got := asked.tally.count(EventQuery) - before; got > 60 {
			t.Errorf("%d questions in 10 s", got)
		}
	})
}
