// Package vectorfile reads the vectors of a protocol for its tests: a package's
// testdata/vectors.json, whose bytes are hexadecimal.
package vectorfile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// Read returns the vectors of the package under test. A field that V has not
// fails the test.
func Read[V any](t testing.TB) (v V) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Bytes is what s says in hexadecimal.
func Bytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
