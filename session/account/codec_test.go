package account

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// write is one field of a profile as vectors tell it.
type write struct {
	Field   string             `json:"field"`           // name, contact, presence, device, state, block, petname, secret
	Of      identity.Principal `json:"of,omitzero"`     // the device or buddy
	Counter uint64             `json:"counter"`         //
	Device  identity.Principal `json:"device"`          // that wrote it
	Value   string             `json:"value,omitempty"` // hex
}

func profileOf(t testing.TB, ws []write) Profile {
	t.Helper()
	var p Profile
	p.allocate()
	for _, w := range ws {
		value, err := hex.DecodeString(w.Value)
		if err != nil {
			t.Fatal(err)
		}
		device, _ := w.Device.Peer()
		of, _ := w.Of.Peer()
		r := register{stamp: Stamp{Counter: w.Counter, Device: device}, value: string(value)}
		b := p.buddies[w.Of]
		switch w.Field {
		case "name":
			p.name = r
		case "contact":
			p.contact = r
		case "presence":
			p.presence = r
		case "device":
			p.devices[of] = r
		case "state":
			b.state = r
		case "block":
			b.block = r
		case "petname":
			b.petname = r
		case "secret":
			b.secret = r
		default:
			t.Fatalf("no field %q", w.Field)
		}
		if w.Of.Kind() == identity.KindAccount {
			p.buddies[w.Of] = b
		}
	}
	return p
}

func TestProfilesAreThoseOfTheVectors(t *testing.T) {
	v := vectorfile.Read[vectors](t)
	for _, c := range v.Profiles {
		p := profileOf(t, c.Writes)
		if got := hex.EncodeToString(p.Bytes()); got != c.Bytes {
			t.Errorf("%s: %s", c.Name, got)
		}
		if got, err := ParseProfile(vectorfile.Bytes(t, c.Bytes)); err != nil || !got.Equal(p) {
			t.Errorf("%s: read as %+v, %v", c.Name, got, err)
		}
	}
	for _, c := range v.Merges {
		a, errA := ParseProfile(vectorfile.Bytes(t, c.A))
		b, errB := ParseProfile(vectorfile.Bytes(t, c.B))
		if m, err := a.Merge(b); errors.Join(errA, errB, err) != nil || hex.EncodeToString(m.Bytes()) != c.Merged {
			t.Errorf("%s: %x, %v", c.Name, m.Bytes(), errors.Join(errA, errB, err))
		}
	}
	for _, c := range v.RefusedProfiles {
		if _, err := ParseProfile(vectorfile.Bytes(t, c.In)); wire.CodeOf(err).String() != c.Code {
			t.Errorf("%s: %v, want %s", c.Name, err, c.Code)
		}
	}
}

func TestProfilesComeBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProfile(t, "p")
		got, err := ParseProfile(p.Bytes())
		if err != nil || !got.Equal(p) || got.Revision() != p.Revision() || got.Digest() != p.Digest() {
			t.Fatalf("%v", err)
		}
	})
}

// A profile may end after any field, so a prefix that ends there is a shorter
// profile, unless a field refers to a writer, which then is one too many.
func TestEveryTruncatedProfileIsRefused(t *testing.T) {
	p := fullProfile(t)
	raw := p.Bytes()
	for n := 1; n < len(raw); n++ {
		if got, err := ParseProfile(raw[:n]); err == nil && !bytes.Equal(got.Bytes(), raw[:n]) {
			t.Errorf("prefix of %d bytes is taken for %+v", n, got)
		}
	}
}

func fullProfile(t fataler) Profile {
	t.Helper()
	laptop, phone, bob := testPeer(t, 1), testPeer(t, 2), testAccount(t, 10)
	p := edited(t, Profile{}, laptop, SetName("Alice"), SetPresence(testPresence(t, 3)), NameDevice(laptop, "laptop"),
		Add(bob, Accepted), SetPetname(bob, "Bob"), SetSecret(bob, []byte("secret")))
	return edited(t, p, phone, SetContact(ContactOff), NameDevice(phone, "phone"), Block(testAccount(t, 11), testPresence(t, 4)))
}

func TestCapsOfAProfileHold(t *testing.T) {
	laptop := testPeer(t, 1)
	p := manyBuddies(t, MaxBuddies)
	if n := len(p.Bytes()); n > MaxProfile {
		t.Errorf("%d buddies with longest names need %d bytes", MaxBuddies, n)
	}
	_, _, err := p.Edit(laptop, Add(testAccount(t, 1), Requested))
	wantCode(t, "one more buddy", err, wire.Limit)
	one := p.Buddies()[0].Account
	room := edited(t, p, laptop, Remove(one, testPresence(t, 1)))
	edited(t, room, laptop, Add(testAccount(t, 1), Requested))

	// What two devices added at the same time is kept; only more is refused.
	if both := merged(t, p, edited(t, Profile{}, testPeer(t, 2), Add(testAccount(t, 1), Requested))); both.liveBuddies() != MaxBuddies+1 {
		t.Errorf("%d buddies", both.liveBuddies())
	}
	_, err = ParseProfile(make([]byte, MaxProfile+1))
	wantCode(t, "too long", err, wire.TooLarge)
}

// manyBuddies has n buddies with names and secrets as they usually are.
func manyBuddies(t fataler, n int) Profile {
	var p Profile
	p.allocate()
	laptop := testPeer(t, 1)
	stamp := Stamp{Counter: 100, Device: laptop}
	for i := range n {
		raw := append([]byte{byte(identity.KindAccount), 0x12, 32}, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 16)...)
		id, err := identity.PrincipalFromBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		p.buddies[id] = buddy{
			state:   register{stamp, string([]byte{byte(Accepted)})},
			petname: register{stamp, string(bytes.Repeat([]byte("p"), MaxName))},
			secret:  register{stamp, string(bytes.Repeat([]byte("s"), 200))},
		}
	}
	return p
}

// TestABurntFieldIsFreeInTheNextEra: a thief who drives a counter to its end
// keeps the field until he is thrown out.
func TestABurntFieldIsFreeInTheNextEra(t *testing.T) {
	laptop, thief := testPeer(t, 1), testPeer(t, 2)
	end := Stamp{Counter: 2<<eraBits - 1, Device: thief}
	p := edited(t, Profile{}, laptop, beginEra(testPresence(t, 1)))
	burnt := Profile{name: register{end, "thief"}, presence: register{end, testPresence(t, 66).value()}}
	p = merged(t, p, burnt)
	_, _, err := p.Edit(laptop, SetName("Alice"))
	wantCode(t, "name", err, wire.Limit)
	edited(t, p, laptop, SetContact(ContactOff))
	p = edited(t, p, laptop, beginEra(testPresence(t, 2)), SetName("Alice"))
	p = merged(t, p, burnt)
	if fresh, _ := p.Presence(); p.Name() != "Alice" || fresh.Seed != testPresence(t, 2).Seed {
		t.Errorf("the thief's name %q or presence is back", p.Name())
	}
	if _, err := ParseProfile(p.Bytes()); err != nil {
		t.Error(err)
	}
}

// FuzzParseProfile: whatever the parser takes has that one form and merges.
func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(fullProfile(f).Bytes())
	for _, c := range vectorfile.Read[vectors](f).Profiles {
		f.Add(vectorfile.Bytes(f, c.Bytes))
	}
	for _, c := range vectorfile.Read[vectors](f).RefusedProfiles {
		f.Add(vectorfile.Bytes(f, c.In))
	}
	full := fullProfile(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseProfile(raw)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.BadRequest && c != wire.TooLarge && c != wire.Unsupported {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), raw) {
			t.Fatalf("%x has another form", raw)
		}
		if !merged(t, p, full).Equal(merged(t, full, p)) || !merged(t, p, p).Equal(p) {
			t.Fatal("merge")
		}
	})
}

func BenchmarkMergeOfTwoThousandBuddies(b *testing.B) {
	p := manyBuddies(b, MaxBuddies)
	_, delta, err := p.Edit(testPeer(b, 2), SetName("x"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Merge(delta); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEditOfTwoThousandBuddies(b *testing.B) {
	p := manyBuddies(b, MaxBuddies)
	laptop := testPeer(b, 1)
	for b.Loop() {
		if _, _, err := p.Edit(laptop, SetName("x")); err != nil {
			b.Fatal(err)
		}
	}
}
