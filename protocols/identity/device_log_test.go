package identity

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestLogComesBackAsWritten(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 3, testRotation(1), adds(t, 4), revokes(t, 2), testRotation(2))
	got, err := ParseLog(l.Bytes())
	if err != nil || !reflect.DeepEqual(got, l) {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := []Device{testDevice(t, 3), testDevice(t, 4)}; !slices.Equal(got.Devices(), want) {
		t.Errorf("devices %v", got.Devices())
	}
	if d, ok := got.Device(testDevice(t, 4).ID); !ok || d != testDevice(t, 4) {
		t.Errorf("device %v, %t", d, ok)
	}
	if _, ok := got.Device(testDevice(t, 2).ID); ok || got.Valid(testDevice(t, 2).ID) || !got.Valid(testDevice(t, 3).ID) {
		t.Error("a revoked device is valid, or one that is not is not")
	}
	if n, c := got.Generation(); n != 2 || c != testRotation(2).Commitment {
		t.Errorf("generation %d, %v", n, c)
	}
	if got.Len() != 6 || got.Account() != testAccount(t, rootSeed) || got.Head() != got.Entries()[5].Hash {
		t.Errorf("%d entries of %s", got.Len(), got.Account())
	}
}

func TestEntriesTellWhoDidWhat(t *testing.T) {
	l := extend(t, testLog(t, 2), 2, adds(t, 3))
	l = extend(t, l, 3, revokes(t, 2))
	var got []string
	for _, e := range l.Entries() {
		got = append(got, e.Op.String()+" by "+e.Author.Kind().String())
		if !e.At.Equal(testTime) {
			t.Errorf("%s at %v", e.Op, e.At)
		}
	}
	if want := []string{"begin by acct", "add by peer", "revoke by peer"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if l.Entries()[2].Author != testPeer(t, 3) {
		t.Error("another has revoked")
	}
	l.Entries()[0].Devices[0] = Device{}
	if l.Entries()[0].Devices[0] != testDevice(t, 2) {
		t.Error("a log was changed through its entries")
	}
}

func TestLogThatIsAppendedToStays(t *testing.T) {
	l := testLog(t, 2, 3)
	before := bytes.Clone(l.Bytes())
	one, other := extend(t, l, 2, revokes(t, 3)), extend(t, l, 3, adds(t, 4))
	if !bytes.Equal(l.Bytes(), before) || l.Valid(testDevice(t, 4).ID) || !l.Valid(testDevice(t, 3).ID) {
		t.Error("it changed")
	}
	if one.Valid(testDevice(t, 4).ID) || one.Head() == other.Head() || !other.Valid(testDevice(t, 3).ID) {
		t.Error("two that grew from it are mixed up")
	}
}

func TestRootBeginsAnewWithWhatIsLeft(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 3, testRotation(1), adds(t, 4))
	for _, v := range []struct {
		name string
		e    Entry
		want []Device
	}{
		{"revoke", revokes(t, 2), []Device{testDevice(t, 3), testDevice(t, 4)}},
		{"add", adds(t, 5), []Device{testDevice(t, 2), testDevice(t, 3), testDevice(t, 4), testDevice(t, 5)}},
		{"begin", begins(t, 4, 6), []Device{testDevice(t, 4), testDevice(t, 6)}},
		{"begin with none", begins(t), []Device{}},
	} {
		next := extend(t, l, rootSeed, v.e)
		if n, c := next.Generation(); next.Len() != 1 || !slices.Equal(next.Devices(), v.want) || n != 1 || c != testRotation(1).Commitment {
			t.Errorf("%s: %d entries, %v, generation %d", v.name, next.Len(), next.Devices(), n)
		}
		wantJudge(t, v.name, extend(t, l, 2, revokes(t, 3)), next, LogBeats)
	}
	if n, _ := extend(t, l, rootSeed, testRotation(2)).Generation(); n != 2 {
		t.Errorf("generation %d", n)
	}
	none := extend(t, l, rootSeed, begins(t))
	if _, err := none.Append(testKey(t, 2), adds(t, 2)); wire.CodeOf(err) != wire.Forbidden {
		t.Errorf("a device of none: %v", err)
	}
	if got := extend(t, none, rootSeed, adds(t, 7)).Devices(); !slices.Equal(got, []Device{testDevice(t, 7)}) {
		t.Errorf("%v", got)
	}
}

func TestEpochsOfARootRise(t *testing.T) {
	l := testLog(t, 2)
	if got := l.begin().Epoch; got != uint64(testTime.UnixMilli()) {
		t.Errorf("first epoch %d", got)
	}
	for _, at := range []time.Time{{}, testTime.Add(-time.Hour), testTime, testTime.Add(time.Hour)} {
		e := begins(t, 2)
		e.At = at
		next := extend(t, l, rootSeed, e)
		wantJudge(t, at.String(), l, next, LogExtends)
		l = next
	}
	if got := l.begin().Epoch; got != uint64(testTime.Add(time.Hour).UnixMilli()) {
		t.Errorf("last epoch %d", got)
	}
}

func TestDeviceComesBackAfterRevocationAsTheYoungest(t *testing.T) {
	l := extend(t, testLog(t, 2, 3, 4), 2, revokes(t, 3))
	back := extend(t, l, 2, adds(t, 3))
	if want := []Device{testDevice(t, 2), testDevice(t, 4), testDevice(t, 3)}; !slices.Equal(back.Devices(), want) {
		t.Errorf("%v", back.Devices())
	}
	wantJudge(t, "4 and 3 revoke each other", extend(t, back, 3, revokes(t, 4)), extend(t, back, 4, revokes(t, 3)), LogBeats)
}

func TestDeviceMayLeave(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 3, revokes(t, 3))
	if _, err := l.Append(testKey(t, 3), revokes(t, 2)); wire.CodeOf(err) != wire.Forbidden {
		t.Errorf("having left it revokes: %v", err)
	}
	alone := extend(t, l, 2, revokes(t, 2))
	if len(alone.Devices()) != 0 {
		t.Errorf("%v", alone.Devices())
	}
}

func TestAppendRefusesWhatDoesNotFit(t *testing.T) {
	l := testLog(t, 2, 3)
	with := func(e Entry, change func(*Entry)) Entry {
		change(&e)
		return e
	}
	for _, v := range []struct {
		name   string
		signer byte
		e      Entry
		want   wire.Code
	}{
		{"a stranger's", 4, adds(t, 5), wire.Forbidden},
		{"a begin by a device", 2, begins(t, 2), wire.Forbidden},
		{"no operation", 2, Entry{}, wire.BadRequest},
		{"unknown operation", 2, with(adds(t, 4), func(e *Entry) { e.Op = 5 }), wire.BadRequest},
		{"add of a valid device", 2, adds(t, 3), wire.BadRequest},
		{"add without a device", 2, with(adds(t, 4), func(e *Entry) { e.Device.ID = "" }), wire.BadRequest},
		{"add of what is no peer ID", 2, with(adds(t, 4), func(e *Entry) { e.Device.ID = "x" }), wire.BadRequest},
		{"add of the root key", 2, adds(t, rootSeed), wire.BadRequest},
		{"add without a box key", 2, with(adds(t, 4), func(e *Entry) { e.Device.Box = BoxKey{} }), wire.BadRequest},
		{"add with a generation", 2, with(adds(t, 4), func(e *Entry) { e.Generation, e.Commitment = 1, Hash{1} }), wire.BadRequest},
		{"add with an epoch", 2, with(adds(t, 4), func(e *Entry) { e.Epoch = 1 }), wire.BadRequest},
		{"add with a list", 2, with(adds(t, 4), func(e *Entry) { e.Devices = []Device{testDevice(t, 5)} }), wire.BadRequest},
		{"revoke of a stranger", 2, revokes(t, 4), wire.BadRequest},
		{"revoke with a box key", 2, with(revokes(t, 3), func(e *Entry) { e.Device.Box = BoxKey{1} }), wire.BadRequest},
		{"a generation left out", 2, testRotation(2), wire.BadRequest},
		{"rotate without commitment", 2, Entry{Op: OpRotate, Generation: 1}, wire.BadRequest},
		{"rotate without generation", 2, Entry{Op: OpRotate, Commitment: Hash{1}}, wire.BadRequest},
		{"before 1970", 2, with(adds(t, 4), func(e *Entry) { e.At = time.UnixMilli(-1) }), wire.BadRequest},
		{"the root adds a valid device", rootSeed, adds(t, 3), wire.BadRequest},
		{"the root names one twice", rootSeed, begins(t, 3, 4, 3), wire.BadRequest},
		{"the root names none", rootSeed, Entry{Op: OpBegin, Devices: []Device{{}}}, wire.BadRequest},
		{"the root names itself", rootSeed, begins(t, rootSeed), wire.BadRequest},
	} {
		_, err := l.Append(testKey(t, v.signer), v.e)
		wantCode(t, v.name, err, v.want)
	}
	_, err := l.Append(nil, adds(t, 4))
	wantCode(t, "no key", err, wire.BadRequest)
	_, err = NewLog(nil, testDevice(t, 2), testTime)
	wantCode(t, "no root", err, wire.BadRequest)
	_, err = NewLog(testKey(t, rootSeed), Device{}, testTime)
	wantCode(t, "no first device", err, wire.BadRequest)
}

func TestKeysOfAccountsAreEd25519AndOfDevicesAny(t *testing.T) {
	l := testLog(t, 2)
	for name, key := range everyKey(t) {
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		grown := extend(t, l, 2, Entry{Op: OpAdd, Device: Device{ID: id, Box: BoxKey{1}}})
		grown, err = grown.Append(key, revokes(t, 2))
		if err != nil {
			t.Errorf("device with %s: %v", name, err)
			continue
		}
		if _, err := ParseLog(grown.Bytes()); err != nil {
			t.Errorf("device with %s: %v", name, err)
		}
		_, err = NewLog(key, testDevice(t, 2), testTime)
		if want := key.Type() == crypto.Ed25519; (err == nil) != want {
			t.Errorf("root with %s: %v", name, err)
		}
	}
}

// fill has a device append to a log until there is no room.
func fill(t *testing.T, l *DeviceLog, signer byte, entry func(n int) Entry) *DeviceLog {
	t.Helper()
	for n := 0; ; n++ {
		next, err := l.Append(testKey(t, signer), entry(n))
		if err != nil {
			wantCode(t, "after the last one", err, wire.Limit)
			if wire.NextOf(err) == "" {
				t.Error("no advice")
			}
			return l
		}
		l = next
	}
}

func rotating(n int) Entry { return testRotation(uint64(n + 1)) }

func TestFullLogStillTakesRevocationsAndTheRoot(t *testing.T) {
	l := fill(t, testLog(t, 2), 2, rotating)
	if l.Len() < 50 {
		t.Errorf("%d entries", l.Len())
	}
	l = extend(t, l, 2, revokes(t, 2))
	if _, err := ParseLog(l.Bytes()); err != nil {
		t.Error(err)
	}
	if l = extend(t, l, rootSeed, begins(t, 2, 3)); l.Len() != 1 || len(l.Bytes()) > 1024 {
		t.Errorf("begun anew it has %d entries, %d bytes", l.Len(), len(l.Bytes()))
	}
	extend(t, l, 3, adds(t, 4))
}

func TestThiefWhoFillsTheLogIsThrownOut(t *testing.T) {
	before := testLog(t, 2, 3)
	l := before
	for n := byte(10); n < 30; n++ {
		l = extend(t, l, 3, adds(t, n))
	}
	l = fill(t, l, 3, rotating)
	l = fill(t, l, 3, func(n int) Entry { return revokes(t, byte(10+n)) })
	if _, err := ParseLog(l.Bytes()); err != nil {
		t.Error(err)
	}
	_, err := l.Append(testKey(t, 2), revokes(t, 3))
	wantCode(t, "revoking the thief", err, wire.Limit)

	kept := l.First(before.Len())
	if !reflect.DeepEqual(kept, before) {
		t.Errorf("the first entries are %v", kept.Entries())
	}
	wantJudge(t, "on an entry before", l, extend(t, kept, 2, revokes(t, 3)), LogBeats)
}

func TestDevicesAreCapped(t *testing.T) {
	l := testLog(t, 2)
	for n := byte(3); n < 2+MaxDevices; n++ {
		l = extend(t, l, 2, adds(t, n))
	}
	_, err := l.Append(testKey(t, 2), adds(t, 100))
	wantCode(t, "a device too many", err, wire.Limit)
	_, err = l.Append(testKey(t, rootSeed), adds(t, 100))
	wantCode(t, "by the root", err, wire.Limit)
	_, err = l.Append(testKey(t, rootSeed), Entry{Op: OpBegin, Devices: append(l.Devices(), testDevice(t, 100))})
	wantCode(t, "named by the root", err, wire.TooLarge)
	extend(t, extend(t, l, rootSeed, revokes(t, 3)), 2, adds(t, 100))
}

func TestProofNamesTheSigner(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 2, revokes(t, 3))
	account := testAccount(t, rootSeed)
	got, device, err := OpenProof(l.Bytes(), account, testKey(t, 2).GetPublic())
	if err != nil || device != testDevice(t, 2).ID || got.Head() != l.Head() {
		t.Errorf("%s, %v", device, err)
	}
	for name, v := range map[string]struct {
		account Principal
		signer  byte
	}{
		"another account": {testAccount(t, 9), 2}, "a node": {testPeer(t, rootSeed), 2},
		"a revoked device": {account, 3}, "a stranger": {account, 4}, "the root": {account, rootSeed},
	} {
		_, _, err := OpenProof(l.Bytes(), v.account, testKey(t, v.signer).GetPublic())
		wantCode(t, name, err, wire.BadRequest)
	}
}
