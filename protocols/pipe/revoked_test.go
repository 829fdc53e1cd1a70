package pipe

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func numbered(n int) (nonce identity.Nonce) {
	binary.BigEndian.PutUint64(nonce[:], uint64(n)+1)
	return nonce
}

// pipeOf is one of many pipes of one owner.
func pipeOf(owner actor, n int) ID {
	adv := exclusivePipe(owner)
	binary.BigEndian.PutUint64(adv.Salt[:], uint64(n)+1)
	return adv.ID()
}

func TestRevocationsOfOthersAreBoundedAndOwnOnesStay(t *testing.T) {
	r := newRevokedSet()
	owner, now := newActor(t, 1), time.Now()
	end := now.Add(time.Hour)
	own := pipeOf(owner, 0)
	r.keep(own)
	r.add(own, numbered(0), end, make([]byte, 1000), now)
	for i := range 20_000 {
		r.add(pipeOf(owner, 1+i), numbered(0), end, make([]byte, 1000), now)
		if r.bytes > maxRevokedBytes {
			t.Fatalf("%d bytes after %d", r.bytes, i)
		}
	}
	revoked := identity.Capability{Nonce: numbered(0), Expiry: end}
	if !r.revokes(own, revoked) {
		t.Error("the node's own revocation has given way to those of strangers")
	}
	if !r.revokes(pipeOf(owner, 20_000), revoked) || r.revokes(pipeOf(owner, 1), revoked) {
		t.Error("it is not the pipe used longest ago that gives way")
	}
	if r.sweep(end.Add(Skew)); r.bytes != 0 || len(r.byID) != 1 || r.idle.Len() != 0 {
		t.Errorf("when all are over: %d bytes, %d pipes", r.bytes, len(r.byID))
	}
}

func TestPipeWithTooManyRevocationsErrsOnTheSafeSide(t *testing.T) {
	r := newRevokedSet()
	owner, now := newActor(t, 1), time.Now()
	id := pipeOf(owner, 0)
	ends := func(n int) time.Time { return now.Add(time.Hour + time.Duration(n)*time.Minute) }
	for i := range maxRevokedPerPipe + 10 {
		r.add(id, numbered(i), ends(i), nil, now)
	}
	for i := range maxRevokedPerPipe + 10 {
		if !r.revokes(id, identity.Capability{Nonce: numbered(i), Expiry: ends(i)}) {
			t.Fatalf("revocation %d is not honoured", i)
		}
	}
	for n, want := range map[int]bool{9: true, 10: false} {
		if got := r.revokes(id, identity.Capability{Nonce: numbered(1 << 30), Expiry: ends(n)}); got != want {
			t.Errorf("a capability that was never revoked and ends after %v counts as revoked: %v", ends(n).Sub(now), got)
		}
	}
	if len(r.of(id)) != MaxAnswerRecords {
		t.Errorf("%d are told", len(r.of(id)))
	}
	wantCode(t, r.room(id, numbered(1<<30), 10), wire.Limit)
	if err := r.room(id, numbered(500), 10); err != nil {
		t.Errorf("one that is known already: %v", err)
	}
}

func TestRevocationsOfAPipeStayAsLongAsItIsServed(t *testing.T) {
	r := newRevokedSet()
	owner, now := newActor(t, 1), time.Now()
	end := now.Add(time.Hour)
	release := r.keep(pipeOf(owner, 0))
	r.add(pipeOf(owner, 0), numbered(0), end, nil, now)
	flood := func(from int) {
		for i := range 10_000 {
			r.add(pipeOf(owner, from+i), numbered(0), end, make([]byte, 1000), now)
		}
	}
	flood(1)
	c := identity.Capability{Nonce: numbered(0), Expiry: end}
	if !r.revokes(pipeOf(owner, 0), c) {
		t.Error("forgotten while the pipe is served")
	}
	release()
	release()
	flood(100_000)
	if r.revokes(pipeOf(owner, 0), c) {
		t.Error("kept when the pipe is served no more")
	}
}

func TestRevokeBeyondTheCapSaysSo(t *testing.T) {
	_, n := loopback(t, 1)
	owner := n[0]
	id := owner.create(t, CreateOptions{})
	for i := range maxRevokedPerPipe {
		owner.revoked.add(id, numbered(i), time.Now().Add(time.Hour), nil, time.Now())
	}
	text, _, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightDial, To: newActor(t, 1).who})
	must(t, err)
	err = owner.Revoke(within(t), text)
	wantCode(t, err, wire.Limit)
	if wire.NextOf(err) == "" {
		t.Error("the error does not say what to do next")
	}
	if all, _ := owner.memory.Revocations(t.Context(), time.Now()); len(all) != 0 {
		t.Error("what was refused is stored")
	}
}

func TestListenWithARightThatIsRevokedMeanwhileFails(t *testing.T) {
	_, n := loopback(t, 3)
	owner, binder := n[0], n[1]
	id := owner.create(t, CreateOptions{})
	grant := owner.letBind(t, id, binder, 0)
	c, err := identity.OpenCapability(grant)
	must(t, err)
	p, err := owner.memory.PipeByID(t.Context(), id)
	must(t, err)
	l, err := binder.newListener(id, p.Advertisement, ListenOptions{Capability: grant})
	must(t, err)
	// Between the look at the right and the registration nobody tells l.
	binder.revoked.add(id, c.Nonce, c.Expiry, nil, time.Now())
	must(t, binder.register(l))
	wantCode(t, l.permitted(), wire.Forbidden)
	l.abandon(l.permitted())
	_, err = binder.Listen(within(t), id, ListenOptions{Capability: grant})
	wantCode(t, err, wire.Forbidden)
}

func TestRevocationsAreRestoredOnceAtATime(t *testing.T) {
	_, n := loopback(t, 2)
	owner := n[0]
	id := owner.create(t, CreateOptions{})
	text, _, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightDial, To: newActor(t, 1).who})
	must(t, err)
	must(t, owner.Revoke(within(t), text))
	before := n[1].tally.count(EventStore)
	owner.restoring.Store(true)
	owner.restoreRevocations(within(t))
	if got := n[1].tally.count(EventStore) - before; got != 0 {
		t.Errorf("%d stores while another round goes on", got)
	}
	owner.restoring.Store(false)
	owner.restoreRevocations(within(t))
	if got := n[1].tally.count(EventStore) - before; got != 1 {
		t.Errorf("%d stores of one revocation", got)
	}
}
