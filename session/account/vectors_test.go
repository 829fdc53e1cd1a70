package account

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// vectors is testdata/vectors.json. All bytes are hexadecimal.
type vectors struct {
	// Profiles have the one form that is given.
	Profiles []struct {
		Name   string  `json:"name"`
		Writes []write `json:"writes"`
		Bytes  string  `json:"bytes"`
	} `json:"profiles"`
	// Merges are of two profiles.
	Merges []struct {
		Name   string `json:"name"`
		A      string `json:"a"`
		B      string `json:"b"`
		Merged string `json:"merged"`
	} `json:"merges"`
	// RefusedProfiles are what a reader must not take, and the word it says.
	RefusedProfiles []struct {
		Name string `json:"name"`
		In   string `json:"in"`
		Code string `json:"code"`
	} `json:"refused_profiles"`
	// Sealed is a profile under the key of a generation, which is wrapped for one
	// device. Sealing is the same each time with this nonce; wrapping never is.
	Sealed struct {
		Account    identity.Principal `json:"account"`
		Generation uint64             `json:"generation"`
		Key        string             `json:"key"`
		Commitment string             `json:"commitment"`
		Nonce      string             `json:"nonce"`
		Profile    string             `json:"profile"`
		Sealed     string             `json:"sealed"`
		Device     identity.Principal `json:"device"`
		Box        string             `json:"box"` // its private key
		BoxPublic  string             `json:"box_public"`
		Wrapped    string             `json:"wrapped"`
	} `json:"sealed"`
}

func TestSealsAreThoseOfTheVectors(t *testing.T) {
	v := readVectors(t).Sealed
	key := ProfileKey{Generation: v.Generation, Secret: [32]byte(unhex(t, v.Key))}
	if got := key.Commitment(v.Account); got.String() != v.Commitment {
		t.Errorf("commitment %s", got)
	}
	p, err := ParseProfile(unhex(t, v.Profile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Seal(v.Account, p, bytes.NewReader(unhex(t, v.Nonce))); err != nil || hex.EncodeToString(got) != v.Sealed {
		t.Errorf("sealed as %x, %v", got, err)
	}
	if got, err := key.Open(v.Account, unhex(t, v.Sealed), p.Revision()); err != nil || !got.Equal(p) {
		t.Errorf("opened as %+v, %v", got, err)
	}
	box, err := ParseBox(unhex(t, v.Box))
	if err != nil {
		t.Fatal(err)
	}
	if got := box.Public(); hex.EncodeToString(got[:]) != v.BoxPublic {
		t.Errorf("box key %x", got)
	}
	device, _ := v.Device.Peer()
	w, err := parseWrapped(unhex(t, v.Wrapped))
	if err != nil || w.account != v.Account || w.generation != v.Generation {
		t.Fatalf("%+v, %v", w, err)
	}
	if got, err := box.openPart(w, device); err != nil || got != key {
		t.Errorf("unwrapped as %+v, %v", got, err)
	}
}

// FuzzSealed: no bytes of others crash or are taken.
func FuzzSealed(f *testing.F) {
	v := readVectors(f).Sealed
	f.Add(unhex(f, v.Sealed), unhex(f, v.Wrapped))
	f.Add([]byte(nil), []byte{1})
	key := ProfileKey{Generation: v.Generation, Secret: [32]byte(unhex(f, v.Key))}
	box, err := ParseBox(unhex(f, v.Box))
	if err != nil {
		f.Fatal(err)
	}
	device, _ := v.Device.Peer()
	f.Fuzz(func(t *testing.T, sealed, wrapped []byte) {
		if p, err := key.Open(v.Account, sealed, 0); err == nil && hex.EncodeToString(p.Bytes()) != v.Profile {
			t.Fatal("a forged profile is taken")
		}
		if w, err := parseWrapped(wrapped); err == nil {
			_, _ = box.openPart(w, device)
		}
	})
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var v vectors
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
