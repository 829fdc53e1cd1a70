package account

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
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
