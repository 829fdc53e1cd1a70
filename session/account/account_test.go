package account

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testAct(t fataler, n byte) Act {
	t.Helper()
	return Act{Key: testKey(t, n), At: testTime, Random: rand.Reader}
}

func testBox(t fataler) Box {
	t.Helper()
	box, err := NewBox()
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func newAccount(t fataler) (a Account, root crypto.PrivKey) {
	t.Helper()
	root = testKey(t, 99)
	a, err := New(root, testAct(t, 1), testBox(t), SetName("Alice"))
	if err != nil {
		t.Fatal(err)
	}
	return a, root
}

// linked adds device n to a, and returns both ends.
func linked(t fataler, a Account, by, n byte) (old, added Account) {
	t.Helper()
	box := testBox(t)
	old, err := a.AddDevice(testAct(t, by), identity.Device{ID: testPeer(t, n), Box: box.Public()}, "phone")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := old.Bundle(testAct(t, by))
	if err != nil {
		t.Fatal(err)
	}
	added, err = Linked(testPeer(t, n), box, bundle)
	if err != nil {
		t.Fatal(err)
	}
	return old, added
}

func TestANewDeviceHasWhatTheOldOneHas(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	if phone.ID() != a.ID() || !phone.Profile().Equal(laptop.Profile()) || !phone.Current() || phone.Profile().DeviceName(phone.Me()) != "phone" {
		t.Errorf("%+v", phone.Profile())
	}
	if p, ok := phone.Profile().Presence(); !ok || p.Version != 1<<eraBits {
		t.Errorf("presence %v %v", p, ok)
	}
	if _, tablet := linked(t, phone, 2, 3); tablet.ID() != a.ID() {
		t.Error("the new device cannot add another")
	}
}

func TestARevokedDeviceIsOutOfEverythingNew(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	before, _ := laptop.Profile().Presence()
	old, err := laptop.Bundle(testAct(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	laptop, err = laptop.Revoke(testAct(t, 1), phone.Me())
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := laptop.Bundle(testAct(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := laptop.Profile().Presence(); p.Seed == before.Seed || p.Salt == before.Salt {
		t.Error("the presence that the phone knows is still in use")
	}
	_, err = phone.Take(testAct(t, 2), fresh, 0)
	wantCode(t, "the phone is told", err, wire.Forbidden)
	shown, err := identity.ParseLog(fresh.Log)
	if err != nil {
		t.Fatal(err)
	}
	_, err = phone.box.Unwrap(shown, phone.Me(), fresh.Wrapped)
	wantCode(t, "new key at the revoked device", err, wire.Forbidden)
	_, err = phone.key.Open(phone.ID(), fresh.Sealed, 0)
	wantCode(t, "new profile with the old key", err, wire.NotReady)

	// What the phone shows afterwards is of an earlier generation.
	next, err := laptop.Take(testAct(t, 1), old, 0)
	wantCode(t, "the old bundle", err, wire.Expired)
	if next.Log().Head() != laptop.Log().Head() {
		t.Error("the head went back")
	}
	if out, _, err := phone.Adopt(testAct(t, 2), shown); err != nil || !out.Revoked() {
		t.Errorf("revoked %v, %v", out.Revoked(), err)
	} else if _, _, err := out.Edit(SetName("x")); wire.CodeOf(err) != wire.Forbidden {
		t.Errorf("the revoked phone edits: %v", err)
	}
}

func TestOthersFollowARotation(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	laptop, tablet := linked(t, laptop, 1, 3)
	laptop, err := laptop.Revoke(testAct(t, 1), phone.Me())
	if err != nil {
		t.Fatal(err)
	}
	tablet, _, err = tablet.Edit(SetName("Alice B."))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := laptop.Bundle(testAct(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	tablet, _, err = tablet.Adopt(testAct(t, 3), laptop.Log())
	if err != nil || tablet.Current() {
		t.Fatalf("current %v before it has the key, %v", tablet.Current(), err)
	}
	if _, err := tablet.Bundle(testAct(t, 3)); wire.CodeOf(err) != wire.NotReady {
		t.Errorf("a bundle without the key: %v", err)
	}
	tablet, err = tablet.Take(testAct(t, 3), bundle, 0)
	if err != nil || !tablet.Current() || tablet.Profile().Name() != "Alice B." {
		t.Errorf("%v: %+v", err, tablet.Profile())
	}
}

// TestAThiefCannotHoldUpItsRevocation: not by a full profile, nor by eras.
func TestAThiefCannotHoldUpItsRevocation(t *testing.T) {
	a, _ := newAccount(t)
	laptop, thief := linked(t, a, 1, 2)
	ahead := Profile{name: register{Stamp{Counter: 66 << eraBits, Device: thief.Me()}, "thief"}}
	_, err := laptop.Merge(ahead)
	wantCode(t, "eras ahead", err, wire.Forbidden)
	laptop.profile = laptop.profile.union(manyBuddies(t, 3*MaxBuddies)) // no room for anything
	if _, _, err := laptop.Edit(SetName("Alice B.")); wire.CodeOf(err) != wire.Limit {
		t.Fatalf("there is room: %v", err)
	}
	laptop, err = laptop.Revoke(testAct(t, 1), thief.Me())
	if err != nil || laptop.Log().Valid(thief.Me()) || laptop.key.Generation != 2 {
		t.Errorf("%v, generation %d", err, laptop.key.Generation)
	}
}

func TestADeviceThatLeavesMakesARotationDue(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	gone, err := phone.Revoke(testAct(t, 2), phone.Me())
	if err != nil || !gone.Revoked() {
		t.Fatal(gone.Revoked(), err)
	}
	laptop, _, err = laptop.Adopt(testAct(t, 1), gone.Log())
	if err != nil || !laptop.NeedsRotation() {
		t.Fatalf("rotation due: %v, %v", laptop.NeedsRotation(), err)
	}
	laptop, err = laptop.Rotate(testAct(t, 1))
	if err != nil || laptop.NeedsRotation() || laptop.key.Generation != 2 {
		t.Errorf("%v, generation %d", err, laptop.key.Generation)
	}
}

// TestAnHonestDeviceSignsAgain: two devices act at once; both acts stand in the
// end at both.
func TestAnHonestDeviceSignsAgain(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	laptop, lost := linked(t, laptop, 1, 3)
	phone, _, err := phone.Adopt(testAct(t, 2), laptop.Log())
	if err != nil {
		t.Fatal(err)
	}
	atLaptop, _ := linked(t, laptop, 1, 4)
	atPhone, err := phone.Revoke(testAct(t, 2), lost.Me())
	if err != nil {
		t.Fatal(err)
	}
	one, _, err1 := atLaptop.Adopt(testAct(t, 1), atPhone.Log())
	two, _, err2 := atPhone.Adopt(testAct(t, 2), atLaptop.Log())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	one, _, err1 = one.Adopt(testAct(t, 1), two.Log())
	two, _, err2 = two.Adopt(testAct(t, 2), one.Log())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if one.Log().Head() != two.Log().Head() || one.Log().Valid(lost.Me()) || !one.Log().Valid(testPeer(t, 4)) {
		t.Errorf("laptop has %v, phone %v", one.Log().Devices(), two.Log().Devices())
	}
}

func TestSealedProfilesOfOthersAndOldOnesAreRefused(t *testing.T) {
	a, _ := newAccount(t)
	act := testAct(t, 1)
	first, err := a.Bundle(act)
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := a.Edit(SetName("Alice B."))
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.key.Open(a.ID(), first.Sealed, next.Profile().Revision())
	wantCode(t, "rolled back", err, wire.Expired)
	_, err = a.key.Open(testAccount(t, 50), first.Sealed, 0)
	wantCode(t, "another account's", err, wire.Forbidden)
	other := ProfileKey{Generation: a.key.Generation}
	_, err = other.Open(a.ID(), first.Sealed, 0)
	wantCode(t, "under another key", err, wire.BadRequest)
	forged := other.Wrap(a.ID(), a.Log().Devices())
	_, err = a.box.Unwrap(a.Log(), a.Me(), forged)
	wantCode(t, "a key that the log does not know", err, wire.BadRequest)
	strange, err := New(testKey(t, 98), testAct(t, 1), testBox(t))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := strange.Bundle(act)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Take(act, foreign, 0)
	wantCode(t, "another account's bundle", err, wire.Forbidden)
	for what, raw := range map[string][]byte{"sealed": first.Sealed, "wrapped": first.Wrapped} {
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= 1
			b := first
			if what == "sealed" {
				b.Sealed = bad
			} else {
				b.Wrapped = bad
			}
			if _, err := Linked(a.Me(), a.box, b); err == nil {
				t.Errorf("%s: byte %d changed, and taken", what, i)
			}
		}
	}
}

// memory is a Store. After fail it fails.
type memory struct {
	raw  []byte
	fail error
}

func (m *memory) LoadAccount(context.Context) ([]byte, error) { return m.raw, m.fail }
func (m *memory) SaveAccount(_ context.Context, raw []byte) error {
	if m.fail == nil {
		m.raw = raw
	}
	return m.fail
}

func TestAKeeperShowsOnlyWhatIsStored(t *testing.T) {
	ctx := context.Background()
	a, _ := newAccount(t)
	store := &memory{}
	k, err := Load(ctx, store, a.Me())
	if err != nil {
		t.Fatal(err)
	}
	none, changed := k.Account()
	if !none.IsZero() || !none.ID().IsZero() || none.Revoked() || none.Current() || none.NeedsRotation() {
		t.Error("an account out of nothing")
	}
	if _, _, err := none.Edit(SetName("x")); wire.CodeOf(err) != wire.NotReady {
		t.Errorf("edit of no account: %v", err)
	}
	if _, err := k.Update(ctx, func(Account) (Account, error) { return a, nil }); err != nil {
		t.Fatal(err)
	}
	<-changed
	store.fail = wire.Errorf(wire.Internal, "disk full")
	edit := func(a Account) (Account, error) { next, _, err := a.Edit(SetName("lost")); return next, err }
	if _, err := k.Update(ctx, edit); wire.CodeOf(err) != wire.Internal {
		t.Errorf("got %v", err)
	}
	store.fail = nil
	if now, _ := k.Account(); now.Profile().Name() != "Alice" {
		t.Error("shows what was not stored")
	}
	again, err := Load(ctx, store, a.Me())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := again.Account(); got.ID() != a.ID() || !got.Current() || !got.Profile().Equal(a.Profile()) || got.box.Public() != a.box.Public() {
		t.Error("comes back as another")
	}
	_, err = Load(ctx, store, testPeer(t, 7))
	wantCode(t, "another node's record", err, wire.Forbidden)
	if _, err := k.Update(ctx, func(Account) (Account, error) { return Account{}, nil }); err != nil || store.raw != nil {
		t.Errorf("not forgotten: %v", err)
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	a, _ := newAccount(t)
	raw, err := a.Record()
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		if _, err := ParseRecord(raw[:n]); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}

// TestADeviceThatWasOutForAWhileSignsAgain: the tablet was added in a branch
// that lost, and had added a watch itself, which has the key.
func TestADeviceThatWasOutForAWhileSignsAgain(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	phone, tablet := linked(t, phone, 2, 3)
	tablet, watch := linked(t, tablet, 3, 4)
	laptop, _ = linked(t, laptop, 1, 5)

	tablet, _, err := tablet.Adopt(testAct(t, 3), laptop.Log())
	if err != nil || !tablet.Revoked() {
		t.Fatalf("the laptop's branch has lost: %v", err)
	}
	raw, err := tablet.Record() // and it starts again meanwhile
	if err != nil {
		t.Fatal(err)
	}
	if tablet, err = ParseRecord(raw); err != nil {
		t.Fatal(err)
	}
	phone, _, err1 := phone.Adopt(testAct(t, 2), laptop.Log())
	tablet, _, err2 := tablet.Adopt(testAct(t, 3), phone.Log())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if tablet.Revoked() || !tablet.Log().Valid(watch.Me()) || !tablet.Log().Valid(testPeer(t, 5)) {
		t.Errorf("devices %v", tablet.Log().Devices())
	}
}

func TestABundleForAnotherBoxKeyOrWithAFalseRevisionIsRefused(t *testing.T) {
	a, _ := newAccount(t)
	bundle, err := a.Bundle(testAct(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Linked(a.Me(), testBox(t), bundle)
	wantCode(t, "another box key", err, wire.Forbidden)
	_, err = Linked(testPeer(t, 2), a.box, bundle)
	wantCode(t, "another device", err, wire.Forbidden)

	aead, err := chacha20poly1305.NewX(a.key.Secret[:])
	if err != nil {
		t.Fatal(err)
	}
	nonce, revision := make([]byte, chacha20poly1305.NonceSizeX), a.Profile().Revision()+1
	text := aead.Seal(nil, nonce, a.Profile().Bytes(), sealedHeader(a.ID(), a.key.Generation, revision))
	var b wire.Builder
	sealed := b.Bytes(sealedAccount, a.ID().Bytes()).Uint(sealedGeneration, a.key.Generation).Uint(sealedRevision, revision).
		Bytes(sealedNonce, nonce).Bytes(sealedText, text).Build()
	_, err = a.key.Open(a.ID(), sealed, 0)
	wantCode(t, "a revision that the profile has not", err, wire.BadRequest)
}
