package pipe

import (
	"bytes"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestLogsOfStrangersAreBoundedAndThoseOfUseStay(t *testing.T) {
	device, phone := newActor(t, 1), newActor(t, 2)
	long, used, kept := testLog(t, 10, device), testLog(t, 11, device), testLog(t, 9, device, phone)
	k := newKnownLogs(5 * len(long.Bytes()))
	release := k.keep(kept.Account())
	if _, changed := k.learn(kept, true); !changed {
		t.Fatal("the log of a kept account is not learned")
	}
	if _, changed := k.learn(long, true); changed || k.of(long.Account()) != nil {
		t.Error("the log of a stranger is learned though it was of no interest")
	}
	k.learn(long, false)
	k.learn(used, false)
	for n := range byte(20) {
		k.learn(testLog(t, 100+n, device), false)
		if k.of(used.Account()) == nil || k.bytes > k.most {
			t.Fatalf("%d strangers later: %d bytes", n, k.bytes)
		}
	}
	if k.of(long.Account()) != nil {
		t.Error("the one that was used longest ago is not forgotten")
	}
	if k.of(kept.Account()) == nil {
		t.Error("forgotten while it is kept")
	}
	release()
	release()
	for n := range byte(20) {
		k.learn(testLog(t, 130+n, device), false)
	}
	if k.of(kept.Account()) != nil {
		t.Error("kept when nothing of the account is served any more")
	}
	k.keep(long.Account())()
	if len(k.byAccount) != k.idle.Len() {
		t.Errorf("%d accounts, of which %d may go", len(k.byAccount), k.idle.Len())
	}
}

func TestKnownLogIsTheWinner(t *testing.T) {
	k := newKnownLogs(maxKnownLogs)
	senior, junior := newActor(t, 1), newActor(t, 2)
	both := testLog(t, 9, senior, junior)
	wins, loses := revoking(t, both, senior.key, junior.id), revoking(t, both, junior.key, senior.id)
	for i, c := range []struct {
		shown, want *identity.DeviceLog
		changed     bool
	}{{both, both, true}, {both, both, false}, {loses, loses, true}, {both, loses, false}, {wins, wins, true}, {loses, wins, false}} {
		if got, changed := k.learn(c.shown, false); got.Head() != c.want.Head() || changed != c.changed {
			t.Errorf("step %d: changed %v", i, changed)
		}
	}
	if !k.silences(speaker{junior.id, both}) || k.silences(speaker{senior.id, both}) || k.silences(speaker{}) {
		t.Error("the wrong device is silenced")
	}
}

func TestLogsAreReadOnceAndRememberedInBounds(t *testing.T) {
	device := newActor(t, 1)
	paid := 0
	r := newReadLogs(maxReadLogs)
	read := r.reader(func(n int) error { paid += n; return nil })
	full := fullLog(t, 9, device).Bytes()
	first, err := read(full)
	must(t, err)
	if want := (len(full) + logEntryBytes - 1) / logEntryBytes; paid != want || want < 50 {
		t.Errorf("%d requests for %d bytes", paid, len(full))
	}
	again, err := read(bytes.Clone(full))
	must(t, err)
	if again != first || paid > 64 {
		t.Errorf("it was read again, for %d requests in all", paid)
	}
	refusing := r.reader(func(int) error { return wire.Busy })
	_, err = refusing(full)
	must(t, err)
	_, err = refusing(testLog(t, 8, device).Bytes())
	wantCode(t, err, wire.Busy)
	_, err = refusing(make([]byte, identity.MaxDeviceLog+1))
	wantCode(t, err, wire.TooLarge)
	_, err = read(full[:len(full)-1])
	wantCode(t, err, wire.BadRequest)
	if len(r.bySum) != 1 || r.used.Len() != 1 || r.bytes != len(full) {
		t.Errorf("%d logs of %d bytes are remembered", len(r.bySum), r.bytes)
	}
}

func TestRememberedLogsAreBounded(t *testing.T) {
	device := newActor(t, 1)
	short := testLog(t, 9, device).Bytes()
	r := newReadLogs(5 * len(short))
	for n := range byte(20) {
		_, err := r.read(testLog(t, 100+n, device).Bytes())
		must(t, err)
		_, err = r.read(short)
		must(t, err)
		if r.bytes > r.most || len(r.bySum) != r.used.Len() {
			t.Fatalf("%d bytes", r.bytes)
		}
	}
	free := r.reader(func(int) error { return wire.Busy })
	_, err := free(short)
	must(t, err)
	_, err = free(testLog(t, 100, device).Bytes())
	wantCode(t, err, wire.Busy)
}

// Every part of an account's records is refused cut off, and with any other
// log than the right one.
func TestEveryTruncatedPrefixOfAnAccountsRecordsIsRefused(t *testing.T) {
	device, other := newActor(t, 1), newActor(t, 2)
	l := testLog(t, 9, device)
	adv := accountPipe(l, Many, 1)
	c := bindRight(device, other, adv, 0)
	c.Issuer, c.Proof = l.Account(), l.Bytes()
	granted := bindingBy(t, other, adv, 1, 0)
	var err error
	granted.Capability, err = c.Sign(device.key)
	must(t, err)
	v := revocationOf(c, adv)
	v.Proof = l.Bytes()
	for _, envelope := range [][]byte{
		deviceRecord(t, device, adv, l, 1, 0).Envelope, record(t, other, granted).Envelope,
	} {
		for n := range envelope {
			_, err := OpenBinding(envelope[:n])
			checkCode(t, err)
		}
	}
	envelope := revocationRecord(t, device, v).Envelope
	for n := range envelope {
		_, err := OpenRevocation(envelope[:n])
		checkCode(t, err)
	}
	b := bindingBy(t, device, adv, 1, 0)
	for n := range l.Bytes() {
		b.Proof = l.Bytes()[:n]
		_, err := OpenBinding(forge(t, device, identity.DomainBinding, b.Bytes()))
		checkCode(t, err)
	}
}
