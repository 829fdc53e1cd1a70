package pipe

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newTestHolder(t testing.TB, limits HolderLimits) *Holder {
	return NewHolder(newActor(t, 200).id, limits)
}

// from is a deposit by an actor that is seen at 1.2.3.4.
func from(a actor) Deposit {
	return Deposit{From: a.id, Group: "1.2.3.0/24", SeenIP: netip.MustParseAddr("1.2.3.4")}
}

func put(t testing.TB, h *Holder, by actor, b Binding, now time.Time) Outcome {
	t.Helper()
	out, err := h.Put(from(by), record(t, by, b), now)
	must(t, err)
	return out
}

// holds returns the binders whose bindings serve the pipe at now.
func holds(h *Holder, adv Advertisement, now time.Time) []identity.Principal {
	held, _ := h.Get(adv.ID().Key(), now)
	var list []identity.Principal
	for _, r := range held.Records {
		if !r.Withdrawn && !r.Over {
			list = append(list, r.Binder)
		}
	}
	return list
}

func wantHolds(t testing.TB, h *Holder, adv Advertisement, now time.Time, binders ...actor) {
	t.Helper()
	got := holds(h, adv, now)
	ok := len(got) == len(binders)
	for i := range min(len(got), len(binders)) {
		ok = ok && got[i] == binders[i].who
	}
	if !ok {
		t.Fatalf("held for %v, expected %d binders", got, len(binders))
	}
}

func TestHolderGivesWhatItsBinderStored(t *testing.T) {
	owner := newActor(t, 1)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	b := bindingBy(t, owner, adv, 1, 1)
	b.Endpoints = addrsFor(t, "/ip4/1.2.3.4/tcp/1", "/ip4/9.9.9.9/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/2")
	r := record(t, owner, b)
	_, err := h.Put(from(owner), r, recordEpoch)
	must(t, err)
	held, ok := h.Get(adv.ID().Key(), recordEpoch.Add(time.Minute))
	if !ok || held.Pipe != adv.ID() || held.Advertisement.ID() != adv.ID() || len(held.Records) != 1 {
		t.Fatalf("%+v", held)
	}
	got := held.Records[0]
	if !bytes.Equal(got.Envelope, r.Envelope) || got.Age != time.Minute || got.Seq != 1 || got.Term != 1 || got.Binder != owner.who {
		t.Errorf("%+v", got)
	}
	if len(got.Unproven) != 1 || got.Unproven[0] != 1 || len(got.Transports) != 2 || got.Transports[0] != reach.TCP {
		t.Errorf("%+v", got)
	}
	if _, ok := h.Get(wire.Key{}, recordEpoch); ok {
		t.Error("something under a key that nobody stored")
	}
}

func TestBindingBroughtByAnotherThanItsBinderIsForbidden(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	b := bindingBy(t, owner, adv, 1, 1)
	for _, b := range []Binding{b, tombstone(b)} {
		_, err := h.Put(from(other), record(t, owner, b), recordEpoch)
		wantCode(t, err, wire.Forbidden)
	}
	_, err := h.Put(from(owner), Record{}, recordEpoch)
	wantCode(t, err, wire.BadRequest)
	if n, size := h.Size(); n != 0 || size != 0 {
		t.Errorf("%d records of %d bytes", n, size)
	}
}

func TestHolderTakesRecordsOfItsOwnTimeOnly(t *testing.T) {
	owner := newActor(t, 1)
	b := bindingBy(t, owner, exclusivePipe(owner), 1, 1)
	r := record(t, owner, b)
	for _, c := range []struct {
		at   time.Duration
		code wire.Code
	}{{-Skew - 1, wire.BadRequest}, {-Skew, wire.OK}, {Skew, wire.OK}, {Skew + 1, wire.Expired}} {
		_, err := newTestHolder(t, HolderLimits{}).Put(from(owner), r, recordEpoch.Add(c.at))
		if wire.CodeOf(err) != c.code {
			t.Errorf("%s after issue: %v", c.at, err)
		}
	}
}

func TestLifeIsCountedFromReceipt(t *testing.T) {
	owner := newActor(t, 1)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	received := recordEpoch.Add(Skew)
	put(t, h, owner, bindingBy(t, owner, adv, 1, 1), received)
	end := received.Add(30 * time.Minute)
	wantHolds(t, h, adv, end.Add(-1), owner)
	wantHolds(t, h, adv, end)
	if next := h.Sweep(end); !next.Equal(end.Add(HighWater)) {
		t.Errorf("next sweep %s", next)
	}
	h.Sweep(end.Add(HighWater))
	if n, size := h.Size(); n != 0 || size != 0 || len(h.shelves) != 0 {
		t.Errorf("%d records of %d bytes after all is over", n, size)
	}
}

func TestCapabilityEndsTheLifeOfABinding(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	b := granted(t, owner, other, adv, 1, 5)
	end := recordEpoch.Add(48 * time.Hour)
	b.Issued = end.Add(-time.Minute)
	put(t, h, other, b, b.Issued)
	wantHolds(t, h, adv, end.Add(-1), other)
	wantHolds(t, h, adv, end)
}

func TestReplayIsRefusedAndTheSameBytesRefresh(t *testing.T) {
	owner := newActor(t, 1)
	for _, adv := range []Advertisement{exclusivePipe(owner), manyPipe(owner)} {
		h := newTestHolder(t, HolderLimits{})
		first := bindingBy(t, owner, adv, 1, 1)
		second := first
		second.Seq = 2
		put(t, h, owner, first, recordEpoch)
		put(t, h, owner, second, recordEpoch)
		out, err := h.Put(from(owner), record(t, owner, first), recordEpoch)
		wantCode(t, err, wire.Expired)
		if !bytes.Equal(out.Standing, record(t, owner, second).Envelope) {
			t.Error("the newer record is not shown")
		}
		other := second
		other.Life = time.Hour
		_, err = h.Put(from(owner), record(t, owner, other), recordEpoch)
		wantCode(t, err, wire.Expired)
		put(t, h, owner, second, recordEpoch.Add(5*time.Minute))
		wantHolds(t, h, adv, recordEpoch.Add(34*time.Minute), owner)
		if n, _ := h.Size(); n != 1 {
			t.Errorf("%d records", n)
		}
	}
}

func TestTombstoneEndsABindingAndOlderRecordsStayOut(t *testing.T) {
	owner := newActor(t, 1)
	for _, adv := range []Advertisement{exclusivePipe(owner), manyPipe(owner)} {
		h := newTestHolder(t, HolderLimits{})
		b := bindingBy(t, owner, adv, 1, 1)
		b.Life = MinLife
		put(t, h, owner, b, recordEpoch)
		put(t, h, owner, tombstone(b), recordEpoch)
		wantHolds(t, h, adv, recordEpoch)
		if held, _ := h.Get(adv.ID().Key(), recordEpoch); len(held.Records) != 1 || !held.Records[0].Withdrawn {
			t.Errorf("%+v", held)
		}
		// Long after the tombstone's life the replay is still known.
		_, err := h.Put(from(owner), record(t, owner, b), recordEpoch.Add(Skew))
		wantCode(t, err, wire.Expired)
		again := tombstone(tombstone(b))
		again.Withdrawn = false
		put(t, h, owner, again, recordEpoch.Add(Skew))
		wantHolds(t, h, adv, recordEpoch.Add(Skew), owner)
	}
}

func TestHigherTermDisplacesAndLowerIsTaken(t *testing.T) {
	high, low := ranked(t)
	owner := newActor(t, 3)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	old := granted(t, owner, high, adv, 1, 1)
	put(t, h, high, old, recordEpoch)
	moved := granted(t, owner, low, adv, 1, 2)
	out := put(t, h, low, moved, recordEpoch)
	if len(out.Displaced) != 1 || !bytes.Equal(out.Displaced[0], record(t, high, old).Envelope) {
		t.Fatalf("displaced %d", len(out.Displaced))
	}
	wantHolds(t, h, adv, recordEpoch, low)
	renewed := old
	renewed.Seq = 9
	out, err := h.Put(from(high), record(t, high, renewed), recordEpoch)
	wantCode(t, err, wire.Taken)
	if !bytes.Equal(out.Standing, record(t, low, moved).Envelope) || wire.NextOf(err) == "" {
		t.Error("the winner is not shown")
	}
}

func TestSameTermGoesToTheHigherHash(t *testing.T) {
	high, low := ranked(t)
	owner := newActor(t, 3)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	byLow, byHigh := granted(t, owner, low, adv, 1, 1), granted(t, owner, high, adv, 1, 1)
	put(t, h, low, byLow, recordEpoch)
	if out := put(t, h, high, byHigh, recordEpoch); len(out.Displaced) != 1 {
		t.Error("the lower hash is not displaced")
	}
	out, err := h.Put(from(low), record(t, low, byLow), recordEpoch)
	wantCode(t, err, wire.Taken)
	if out.Standing == nil {
		t.Error("the winner is not shown")
	}
	// The loser's tombstone harms nobody; the winner's makes room.
	put(t, h, low, tombstone(byLow), recordEpoch)
	wantHolds(t, h, adv, recordEpoch, high)
	put(t, h, high, tombstone(byHigh), recordEpoch)
	put(t, h, low, granted(t, owner, low, adv, 3, 1), recordEpoch)
	wantHolds(t, h, adv, recordEpoch, low)
}

func TestHighestTermIsRememberedAfterItsRecord(t *testing.T) {
	high, low := ranked(t)
	owner := newActor(t, 3)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	winner := record(t, low, granted(t, owner, low, adv, 1, 7))
	_, err := h.Put(from(low), winner, recordEpoch)
	must(t, err)
	late := recordEpoch.Add(24 * time.Hour)
	b := granted(t, owner, high, adv, 1, 6)
	b.Issued = late
	out, err := h.Put(from(high), record(t, high, b), late)
	wantCode(t, err, wire.Taken)
	if !bytes.Equal(out.Standing, winner.Envelope) {
		t.Error("the proof of the term is lost")
	}
	held, _ := h.Get(adv.ID().Key(), late)
	if len(held.Records) != 1 || !held.Records[0].Over {
		t.Errorf("%+v", held.Records)
	}
	after := recordEpoch.Add(30*time.Minute + HighWater)
	b.Issued = after
	put(t, h, high, b, after)
	wantHolds(t, h, adv, after, high)
}

func TestManyBindersStandBesideEachOther(t *testing.T) {
	owner, a, b := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	adv := manyPipe(owner)
	h := newTestHolder(t, HolderLimits{PipeBinders: 2})
	put(t, h, a, granted(t, owner, a, adv, 1, 0), recordEpoch)
	put(t, h, b, granted(t, owner, b, adv, 1, 3), recordEpoch.Add(time.Second))
	wantHolds(t, h, adv, recordEpoch.Add(time.Second), b, a)
	_, err := h.Put(from(owner), record(t, owner, bindingBy(t, owner, adv, 1, 0)), recordEpoch)
	wantCode(t, err, wire.Limit)
	// A mark makes room, a live record does not.
	late := recordEpoch.Add(31 * time.Minute)
	mine := bindingBy(t, owner, adv, 1, 0)
	mine.Issued = late
	put(t, h, owner, mine, late)
	wantHolds(t, h, adv, late, owner)
}

func TestRevocationEvictsAndKeepsOut(t *testing.T) {
	owner, other, stranger := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	b := granted(t, owner, other, adv, 1, MaxNumber)
	put(t, h, other, b, recordEpoch)
	c := bindRight(owner, other, adv, MaxNumber)
	r := revocationRecord(t, owner, revocationOf(c, adv))
	out, err := h.Put(from(stranger), r, recordEpoch)
	must(t, err)
	if len(out.Displaced) != 1 {
		t.Error("the evicted binding is not shown")
	}
	wantHolds(t, h, adv, recordEpoch)
	renewed := b
	renewed.Seq = 2
	out, err = h.Put(from(other), record(t, other, renewed), recordEpoch)
	wantCode(t, err, wire.Forbidden)
	if !bytes.Equal(out.Standing, r.Envelope) {
		t.Error("the revocation is not shown")
	}
	// Its term went with it.
	put(t, h, owner, bindingBy(t, owner, adv, 1, 1), recordEpoch)
	held, _ := h.Get(adv.ID().Key(), recordEpoch)
	if len(held.Revocations) != 1 || !bytes.Equal(held.Revocations[0], r.Envelope) {
		t.Errorf("%d revocations", len(held.Revocations))
	}
	h.Sweep(c.Expiry.Add(Skew))
	if held, _ = h.Get(adv.ID().Key(), c.Expiry.Add(Skew)); len(held.Revocations) != 0 {
		t.Error("a revocation outlives what it revokes")
	}
}

func TestRevocationIsKeptForALimitedTime(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	c := bindRight(owner, other, adv, 2)
	c.Expiry = recordEpoch.Add(1000 * time.Hour)
	h := newTestHolder(t, HolderLimits{})
	_, err := h.Put(from(other), revocationRecord(t, owner, revocationOf(c, adv)), recordEpoch)
	must(t, err)
	if next := h.Sweep(recordEpoch); !next.Equal(recordEpoch.Add(MaxRevocationLife)) {
		t.Errorf("until %s", next)
	}
}

func TestRevocationsOfAPipeAreCapped(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{PipeRevocations: 2})
	revoke := func(term uint64, hours int) error {
		c := bindRight(owner, other, adv, term)
		c.Expiry = recordEpoch.Add(time.Duration(hours) * time.Hour)
		_, err := h.Put(from(owner), revocationRecord(t, owner, revocationOf(c, adv)), recordEpoch)
		return err
	}
	must(t, revoke(1, 10))
	must(t, revoke(2, 20))
	must(t, revoke(3, 30))
	wantCode(t, revoke(4, 15), wire.Limit)
	must(t, revoke(3, 30))
	if held, _ := h.Get(adv.ID().Key(), recordEpoch); len(held.Revocations) != 2 {
		t.Errorf("%d revocations", len(held.Revocations))
	}
}

func TestStrangerCannotDrawARevocationIntoItsOwnAccount(t *testing.T) {
	owner, other, stranger := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{})
	r := revocationRecord(t, owner, revocationOf(bindRight(owner, other, adv, 2), adv))
	charged := func(by actor) {
		t.Helper()
		if _, err := h.Put(from(by), r, recordEpoch); err != nil {
			t.Fatal(err)
		}
	}
	charged(other)
	charged(stranger)
	if h.ledger.peers[stranger.id] != nil || h.ledger.peers[other.id].records != 1 {
		t.Error("the stranger bears it")
	}
	charged(owner)
	if h.ledger.peers[other.id] != nil || h.ledger.peers[owner.id].records != 1 {
		t.Error("the owner does not bear it")
	}
}
