package pipe

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// testLog is the log of the account whose root has a seed, with devices, the
// most senior first, who adds the others.
func testLog(t testing.TB, root byte, devices ...actor) *identity.DeviceLog {
	t.Helper()
	l, err := identity.NewLog(newActor(t, root).key, deviceOf(devices[0].id), recordEpoch)
	must(t, err)
	for _, d := range devices[1:] {
		l = adding(t, l, devices[0].key, d.id)
	}
	return l
}

func deviceOf(id peer.ID) identity.Device {
	return identity.Device{ID: id, Box: identity.BoxKey(sha256.Sum256([]byte(id)))}
}

func adding(t testing.TB, l *identity.DeviceLog, by crypto.PrivKey, id peer.ID) *identity.DeviceLog {
	t.Helper()
	next, err := l.Append(by, identity.Entry{Op: identity.OpAdd, Device: deviceOf(id), At: recordEpoch})
	must(t, err)
	return next
}

func revoking(t testing.TB, l *identity.DeviceLog, by crypto.PrivKey, id peer.ID) *identity.DeviceLog {
	t.Helper()
	next, err := l.Append(by, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: id}, At: recordEpoch})
	must(t, err)
	return next
}

// fullLog has as many rotations as there is room for.
func fullLog(t testing.TB, root byte, device actor) *identity.DeviceLog {
	t.Helper()
	l := testLog(t, root, device)
	for n := uint64(1); ; n++ {
		e := identity.Entry{Op: identity.OpRotate, Generation: n, Commitment: identity.Hash{byte(n), 1}, At: recordEpoch}
		next, err := l.Append(device.key, e)
		if wire.CodeOf(err) == wire.Limit {
			return l
		}
		must(t, err)
		l = next
	}
}

// accountPipe is one of the pipes of an account.
func accountPipe(l *identity.DeviceLog, binders Binders, n byte) Advertisement {
	return Advertisement{
		Type: TypeUnicast, Owner: l.Account(), Binders: binders, DialPolicy: DialOpen, Reliable: true, Salt: [SaltSize]byte{n},
	}
}

// deviceRecord is the record of a device of the account that owns a pipe.
func deviceRecord(t testing.TB, by actor, adv Advertisement, l *identity.DeviceLog, seq, term uint64) Record {
	t.Helper()
	b := bindingBy(t, by, adv, seq, term)
	b.Proof = l.Bytes()
	return record(t, by, b)
}

func TestContactPipeFollowsFromTheAccountAlone(t *testing.T) {
	l := testLog(t, 9, newActor(t, 1))
	a := ContactPipe(l.Account())
	must(t, a.Validate())
	const id = "bafkreigib6s7roo5tkwsj2jpbwaczzfafc43uboh55hec6yhsr27iulja4"
	if a.ID().String() != id {
		t.Errorf("%s, expected %s", a.ID(), id)
	}
}

func TestHolderDropsWhatARevokedDeviceHasBound(t *testing.T) {
	first, second, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	both := testLog(t, 9, first, second)
	alone := revoking(t, both, first.key, second.id)
	one, other := accountPipe(both, Many, 1), accountPipe(both, Exclusive, 2)
	h := NewHolder(holder.id, HolderLimits{})
	put := func(by actor, r Record) (Outcome, error) { return h.Put(from(by), r, recordEpoch) }
	for _, r := range []struct {
		by     actor
		record Record
	}{
		{first, deviceRecord(t, first, one, both, 1, 0)}, {second, deviceRecord(t, second, one, both, 1, 0)},
		{second, deviceRecord(t, second, other, both, 1, 7)},
	} {
		_, err := put(r.by, r.record)
		must(t, err)
	}
	if got := holds(h, one, recordEpoch); len(got) != 2 {
		t.Fatalf("held: %v", got)
	}
	out, err := put(first, deviceRecord(t, first, one, alone, 2, 0))
	must(t, err)
	if got := holds(h, one, recordEpoch); len(got) != 1 || got[0] != first.who || len(out.Displaced) > 0 {
		t.Errorf("held after the revocation: %v, displaced %d", got, len(out.Displaced))
	}
	if got := holds(h, other, recordEpoch); len(got) != 0 {
		t.Errorf("held of another pipe of the account: %v", got)
	}
	out, err = put(second, deviceRecord(t, second, one, both, 2, 0))
	wantCode(t, err, wire.Forbidden)
	if string(out.Standing) != string(alone.Bytes()) {
		t.Error("the device is not shown the log by which it is revoked")
	}
	// Its term has gone with it.
	_, err = put(first, deviceRecord(t, first, other, both, 1, 1))
	must(t, err)
	// An older log takes nothing back, and does no harm to who is still valid.
	_, err = put(second, deviceRecord(t, second, other, both, 3, 9))
	wantCode(t, err, wire.Forbidden)
}

func TestHolderGoesByTheWinnerOfAForkInWhateverOrderItComes(t *testing.T) {
	senior, thief, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	both := testLog(t, 9, senior, thief)
	adv := accountPipe(both, Many, 1)
	honest := deviceRecord(t, senior, adv, revoking(t, both, senior.key, thief.id), 2, 0)
	stolen := deviceRecord(t, thief, adv, revoking(t, both, thief.key, senior.id), 2, 0)
	for name, thiefFirst := range map[string]bool{"thief first": true, "thief last": false} {
		h := NewHolder(holder.id, HolderLimits{})
		_, err := h.Put(from(senior), deviceRecord(t, senior, adv, both, 1, 0), recordEpoch)
		must(t, err)
		if thiefFirst {
			_, err = h.Put(from(thief), stolen, recordEpoch)
			must(t, err)
			if got := holds(h, adv, recordEpoch); len(got) != 1 || got[0] != thief.who {
				t.Errorf("%s: held %v", name, got)
			}
		}
		_, err = h.Put(from(senior), honest, recordEpoch)
		must(t, err)
		_, err = h.Put(from(thief), stolen, recordEpoch)
		if wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
		if got := holds(h, adv, recordEpoch); len(got) != 1 || got[0] != senior.who {
			t.Errorf("%s: held in the end %v", name, got)
		}
	}
}

func TestHolderRemembersALogAsLongAsAnythingOfItsAccount(t *testing.T) {
	first, second, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	both := testLog(t, 9, first, second)
	alone := revoking(t, both, first.key, second.id)
	adv := accountPipe(both, Many, 1)
	h := NewHolder(holder.id, HolderLimits{})
	_, err := h.Put(from(first), deviceRecord(t, first, adv, alone, 1, 0), recordEpoch)
	must(t, err)
	again := func(at time.Time) error {
		b := bindingBy(t, second, adv, 1, 0)
		b.Proof, b.Issued = both.Bytes(), at
		_, err := h.Put(from(second), record(t, second, b), at)
		return err
	}
	end := recordEpoch.Add(30*time.Minute + HighWater)
	wantCode(t, again(end.Add(-time.Second)), wire.Forbidden)
	if n, size := h.Size(); n != 1 || size != RecordOverhead+len(alone.Bytes()) {
		t.Errorf("a mark that bears the log: %d records of %d bytes", n, size)
	}
	must(t, again(end))
	if n := len(h.logs); n != 1 || h.logOf(both.Account()).Head() != both.Head() {
		t.Error("the log outlives what was held of the account")
	}
	h.Sweep(end.Add(MaxLife + HighWater))
	if n, size := h.Size(); n != 0 || size != 0 || len(h.logs) != 0 {
		t.Errorf("left: %d records of %d bytes, %d logs", n, size, len(h.logs))
	}
}

func TestLogPassesToAnotherRecordWhenItsBearerGoes(t *testing.T) {
	first, second, third, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3), newActor(t, 4)
	all := testLog(t, 9, first, second, third)
	less := revoking(t, all, first.key, third.id)
	adv := accountPipe(all, Many, 1)
	h := NewHolder(holder.id, HolderLimits{})
	put := func(by actor, l *identity.DeviceLog, seq uint64) error {
		_, err := h.Put(from(by), deviceRecord(t, by, adv, l, seq, 0), recordEpoch)
		return err
	}
	must(t, put(second, all, 1))
	must(t, put(first, less, 1))
	must(t, put(first, all, 2)) // its newer record shows an older log
	wantCode(t, put(third, all, 1), wire.Forbidden)
	h.detach(h.logs[all.Account()].bearer)
	wantCode(t, put(third, all, 1), wire.Forbidden)
	h.detach(h.logs[all.Account()].bearer)
	if n, size := h.Size(); n != 0 || size != 0 || len(h.logs) != 0 {
		t.Errorf("left: %d records of %d bytes, %d logs", n, size, len(h.logs))
	}
}

func TestRevocationOutlivesTheDeviceThatSignedIt(t *testing.T) {
	first, second, guest, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3), newActor(t, 4)
	both := testLog(t, 9, first, second)
	alone := revoking(t, both, first.key, second.id)
	adv := accountPipe(both, Many, 1)
	right := func(n byte) identity.Capability {
		c := bindRight(first, guest, adv, 0)
		c.Issuer, c.Proof, c.Nonce[0] = both.Account(), both.Bytes(), n
		return c
	}
	bound := func(c identity.Capability) Record {
		b := bindingBy(t, guest, adv, 1, 0)
		var err error
		b.Capability, err = c.Sign(first.key)
		must(t, err)
		return record(t, guest, b)
	}
	revocation := func(by actor, c identity.Capability) Record {
		r := revocationOf(c, adv)
		r.Proof = both.Bytes()
		return revocationRecord(t, by, r)
	}
	h := NewHolder(holder.id, HolderLimits{})
	put := func(by actor, r Record) error {
		_, err := h.Put(from(by), r, recordEpoch)
		return err
	}
	must(t, put(guest, bound(right(1))))
	must(t, put(second, revocation(second, right(1))))
	wantCode(t, put(guest, bound(right(1))), wire.Forbidden)
	must(t, put(first, deviceRecord(t, first, adv, alone, 1, 0)))
	wantCode(t, put(guest, bound(right(1))), wire.Forbidden)
	must(t, put(guest, bound(right(2))))
	wantCode(t, put(guest, revocation(second, right(2))), wire.Forbidden)
	if got := holds(h, adv, recordEpoch); len(got) != 2 {
		t.Errorf("held %v", got)
	}
}

func TestCapabilityOfARevokedDeviceIsVoid(t *testing.T) {
	first, second, guest, holder := newActor(t, 1), newActor(t, 2), newActor(t, 3), newActor(t, 4)
	both := testLog(t, 9, first, second)
	adv := accountPipe(both, Many, 1)
	c := bindRight(first, guest, adv, 0)
	c.Issuer, c.Proof = both.Account(), both.Bytes()
	b := bindingBy(t, guest, adv, 1, 0)
	var err error
	b.Capability, err = c.Sign(second.key)
	must(t, err)
	r := record(t, guest, b)
	h := NewHolder(holder.id, HolderLimits{})
	_, err = h.Put(from(guest), r, recordEpoch)
	must(t, err)
	alone := revoking(t, both, first.key, second.id)
	_, err = h.Put(from(first), deviceRecord(t, first, adv, alone, 1, 0), recordEpoch)
	must(t, err)
	if got := holds(h, adv, recordEpoch); len(got) != 1 || got[0] != first.who {
		t.Errorf("held %v", got)
	}
	_, err = h.Put(from(guest), r, recordEpoch)
	wantCode(t, err, wire.Forbidden)
}
