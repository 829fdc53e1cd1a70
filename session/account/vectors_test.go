package account

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
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
	v := vectorfile.Read[vectors](t).Sealed
	key := ProfileKey{Generation: v.Generation, Secret: [32]byte(vectorfile.Bytes(t, v.Key))}
	if got := key.Commitment(v.Account); got.String() != v.Commitment {
		t.Errorf("commitment %s", got)
	}
	p, err := ParseProfile(vectorfile.Bytes(t, v.Profile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Seal(v.Account, p, bytes.NewReader(vectorfile.Bytes(t, v.Nonce))); err != nil || hex.EncodeToString(got) != v.Sealed {
		t.Errorf("sealed as %x, %v", got, err)
	}
	if got, err := key.Open(v.Account, vectorfile.Bytes(t, v.Sealed), p.Revision()); err != nil || !got.Equal(p) {
		t.Errorf("opened as %+v, %v", got, err)
	}
	box, err := ParseBox(vectorfile.Bytes(t, v.Box))
	if err != nil {
		t.Fatal(err)
	}
	if got := box.Public(); hex.EncodeToString(got[:]) != v.BoxPublic {
		t.Errorf("box key %x", got)
	}
	device, _ := v.Device.Peer()
	w, err := parseWrapped(vectorfile.Bytes(t, v.Wrapped))
	if err != nil || w.account != v.Account || w.generation != v.Generation {
		t.Fatalf("%+v, %v", w, err)
	}
	if got, err := box.openPart(w, device); err != nil || got != key {
		t.Errorf("unwrapped as %+v, %v", got, err)
	}
}

// FuzzSealed: no bytes of others crash or are taken.
func FuzzSealed(f *testing.F) {
	v := vectorfile.Read[vectors](f).Sealed
	f.Add(vectorfile.Bytes(f, v.Sealed), vectorfile.Bytes(f, v.Wrapped))
	f.Add([]byte(nil), []byte{1})
	key := ProfileKey{Generation: v.Generation, Secret: [32]byte(vectorfile.Bytes(f, v.Key))}
	box, err := ParseBox(vectorfile.Bytes(f, v.Box))
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
