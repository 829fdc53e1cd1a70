package pipe

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ownPipe is one of many pipes of an owner.
func ownPipe(owner actor, n int) Advertisement {
	a := exclusivePipe(owner)
	a.Name = fmt.Sprint("pipe ", n)
	return a
}

// quick is a record as OpenBinding would give it, without signatures: the
// quotas do not look at them.
func quick(by actor, adv Advertisement, seq, term uint64, issued time.Time) Record {
	b := Binding{
		Pipe: adv.ID(), Advertisement: adv, Binder: by.who, Seq: seq, Term: term,
		Issued: issued, Life: 30 * time.Minute,
	}
	return Record{Binding: &b, Envelope: unsigned(b.Bytes(), 1)}
}

// unsigned has an envelope's shape, with that many bytes for a signature.
func unsigned(body []byte, bulk int) []byte {
	var e wire.Builder
	return e.Bytes(1, body).Bytes(3, make([]byte, bulk)).Build()
}

func TestEveryHolderLimitHasADefault(t *testing.T) {
	var l HolderLimits
	l.normalize()
	for i, v := 0, reflect.ValueOf(l); i < v.NumField(); i++ {
		if v.Field(i).Int() <= 0 {
			t.Errorf("%s has none", v.Type().Field(i).Name)
		}
	}
}

func TestDepositorQuotaNamesCapAndSetting(t *testing.T) {
	owner := newActor(t, 1)
	h := newTestHolder(t, HolderLimits{DepositorRecords: 2})
	for i := range 2 {
		_, err := h.Put(from(owner), quick(owner, ownPipe(owner, i), 1, 1, recordEpoch), recordEpoch)
		must(t, err)
	}
	_, err := h.Put(from(owner), quick(owner, ownPipe(owner, 2), 1, 1, recordEpoch), recordEpoch)
	wantCode(t, err, wire.Limit)
	if wire.NextOf(err) == "" || strings.Contains(err.Error()+wire.NextOf(err), "HolderLimits") {
		t.Errorf("%s: %s", err, wire.NextOf(err))
	}
	// A renewal is not one more.
	_, err = h.Put(from(owner), quick(owner, ownPipe(owner, 1), 2, 1, recordEpoch), recordEpoch)
	must(t, err)
	// Another depositor has a quota of its own.
	other := newActor(t, 2)
	_, err = h.Put(from(other), quick(other, ownPipe(other, 0), 1, 1, recordEpoch), recordEpoch)
	must(t, err)
	// Its own marks give way.
	late := recordEpoch.Add(time.Hour)
	_, err = h.Put(from(owner), quick(owner, ownPipe(owner, 2), 1, 1, late), late)
	must(t, err)
}

func TestFailedRenewalLeavesTheOldRecord(t *testing.T) {
	owner := newActor(t, 1)
	adv := exclusivePipe(owner)
	h := newTestHolder(t, HolderLimits{DepositorBytes: RecordOverhead + 400})
	small := quick(owner, adv, 1, 1, recordEpoch)
	_, err := h.Put(from(owner), small, recordEpoch)
	must(t, err)
	big := quick(owner, adv, 2, 1, recordEpoch)
	big.Envelope = unsigned(big.Binding.Bytes(), 500)
	_, err = h.Put(from(owner), big, recordEpoch)
	wantCode(t, err, wire.Limit)
	wantHolds(t, h, adv, recordEpoch, owner)
}

func TestAddressGroupQuotaSparesLoopbackAndOtherGroups(t *testing.T) {
	h := newTestHolder(t, HolderLimits{GroupRecords: 2})
	store := func(n byte, group string) error {
		a := newActor(t, n)
		_, err := h.Put(Deposit{From: a.id, Group: group}, quick(a, exclusivePipe(a), 1, 1, recordEpoch), recordEpoch)
		return err
	}
	must(t, store(1, "1.2.3.0/24"))
	must(t, store(2, "1.2.3.0/24"))
	wantCode(t, store(3, "1.2.3.0/24"), wire.Limit)
	must(t, store(4, "1.2.4.0/24"))
	for n := byte(10); n < 20; n++ {
		must(t, store(n, ""))
	}
}

func TestFullHolderEvictsTheHeaviestGroupAndThereTheFarthest(t *testing.T) {
	flooder, owner := newActor(t, 1), newActor(t, 2)
	h := newTestHolder(t, HolderLimits{Bytes: 20 * (RecordOverhead + 200)})
	_, err := h.Put(Deposit{From: owner.id, Group: "9.9.9.0/24"}, quick(owner, exclusivePipe(owner), 1, 1, recordEpoch), recordEpoch)
	must(t, err)
	refused := 0
	for i := range 200 {
		if _, err := h.Put(from(flooder), quick(flooder, ownPipe(flooder, i), 1, 1, recordEpoch), recordEpoch); err != nil {
			wantCode(t, err, wire.Limit)
			refused++
		}
	}
	wantHolds(t, h, exclusivePipe(owner), recordEpoch, owner)
	if refused == 0 || refused > 190 {
		t.Errorf("%d of 200 refused", refused)
	}
	// What is left of the flood is nearer than all that is not.
	var farthest [32]byte
	for _, s := range h.shelves {
		if s.advertisement.Owner == flooder.who && string(s.distance[:]) > string(farthest[:]) {
			farthest = s.distance
		}
	}
	for i := range 200 {
		s := h.shelf(ownPipe(flooder, i).ID(), ownPipe(flooder, i))
		if len(s.bindings) == 0 && string(s.distance[:]) < string(farthest[:]) {
			t.Fatalf("pipe %d was evicted though nearer", i)
		}
	}
}

func TestPipeQuotaKeepsLiveBindersAndTheHighestTerm(t *testing.T) {
	h := newTestHolder(t, HolderLimits{PipeBinders: 3})
	owner := newActor(t, 1)
	adv := Advertisement{Type: TypeUnicast, Owner: owner.who, Binders: Many, DialPolicy: DialOpen, Reliable: true}
	for i := range 3 {
		a := newActor(t, byte(10+i))
		_, err := h.Put(from(a), quick(a, adv, 1, 0, recordEpoch), recordEpoch)
		must(t, err)
	}
	fourth := newActor(t, 20)
	_, err := h.Put(from(fourth), quick(fourth, adv, 1, 0, recordEpoch), recordEpoch)
	wantCode(t, err, wire.Limit)
	// On an exclusive pipe each term ends the one before: marks give way, but
	// never the one with the highest.
	exclusive := exclusivePipe(owner)
	for i := range 10 {
		a := newActor(t, byte(30+i))
		_, err := h.Put(from(a), quick(a, exclusive, 1, uint64(1+i), recordEpoch), recordEpoch)
		must(t, err)
	}
	s := h.shelves[exclusive.ID().Key()]
	if len(s.bindings) != 3 || s.top().rank.term != 10 {
		t.Errorf("%d binders are remembered, highest term %d", len(s.bindings), s.top().rank.term)
	}
}
