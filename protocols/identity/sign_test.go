package identity

import (
	"bytes"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

func testEnvelope(t testing.TB) []byte {
	t.Helper()
	envelope, err := Sign(testKey(t, 1), DomainBinding, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func TestEnvelopeOfEveryKeyOpens(t *testing.T) {
	for name, key := range everyKey(t) {
		envelope, err := Sign(key, DomainSecure, []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, signer, err := Open(DomainSecure, envelope, len(envelope))
		if err != nil || string(body) != "body" || !signer.Equals(key.GetPublic()) {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}

func TestSignatureOfAnotherDomainIsRefused(t *testing.T) {
	_, _, err := Open(DomainCapability, testEnvelope(t), 1024)
	wantCode(t, "other domain", err, wire.BadRequest)
}

// Without the length before the domain, a signature under "a" over "bc" would
// be one under "ab" over "c".
func TestDomainAndBodyDoNotRunTogether(t *testing.T) {
	sig, err := Sign(testKey(t, 1), "a", []byte("bc"))
	if err != nil {
		t.Fatal(err)
	}
	f, _ := wire.ParseFields(sig)
	forged := envelopeBytes([]byte("c"), f.Bytes(fieldKey, 99), f.Bytes(fieldSignature, 99))
	_, _, err = Open("ab", forged, 1024)
	wantCode(t, "shifted domain", err, wire.BadRequest)
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	good := testEnvelope(t)
	for i := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if _, _, err := Open(DomainBinding, bad, 1024); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("bit %d: %v", i, err)
		}
	}
}

func TestEveryTruncatedEnvelopeIsRefused(t *testing.T) {
	good := testEnvelope(t)
	for n := range good {
		if _, _, err := Open(DomainBinding, good[:n], 1024); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestForeignSignatureIsRefused(t *testing.T) {
	f, _ := wire.ParseFields(testEnvelope(t))
	other, err := crypto.MarshalPublicKey(testKey(t, 2).GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Open(DomainBinding, envelopeBytes(f.Bytes(1, 99), other, f.Bytes(3, 99)), 1024)
	wantCode(t, "key of another", err, wire.BadRequest)
}

func TestUnsignedPartsAreRefused(t *testing.T) {
	good := testEnvelope(t)
	for _, num := range []uint64{4, wire.CriticalBelow, 1 << 40} {
		var extra wire.Builder
		_, _, err := Open(DomainBinding, append(bytes.Clone(good), extra.Uint(num, 1).Build()...), 1024)
		wantCode(t, "extra field", err, wire.BadRequest)
	}
}

func TestSignersKeyHasOneSpelling(t *testing.T) {
	f, _ := wire.ParseFields(testEnvelope(t))
	key := bytes.Clone(f.Bytes(2, 99))
	for name, odd := range map[string][]byte{
		"swapped fields": append(bytes.Clone(key[2:]), key[:2]...),
		"unknown field":  append(bytes.Clone(key), 0x18, 1),
		"not a key":      []byte("key"),
	} {
		_, _, err := Open(DomainBinding, envelopeBytes(f.Bytes(1, 99), odd, f.Bytes(3, 99)), 1024)
		wantCode(t, name, err, wire.BadRequest)
	}
}

func TestEnvelopeAboveItsCapIsTooLarge(t *testing.T) {
	good := testEnvelope(t)
	_, _, err := Open(DomainBinding, good, len(good)-1)
	wantCode(t, "one byte too many", err, wire.TooLarge)
}

func TestNothingIsSignedWithoutKeyDomainAndBody(t *testing.T) {
	for name, f := range map[string]func() ([]byte, error){
		"key":    func() ([]byte, error) { return Sign(nil, DomainBinding, []byte("x")) },
		"domain": func() ([]byte, error) { return Sign(testKey(t, 1), "", []byte("x")) },
		"body":   func() ([]byte, error) { return Sign(testKey(t, 1), DomainBinding, nil) },
	} {
		_, err := f()
		wantCode(t, "no "+name, err, wire.BadRequest)
	}
}

// FuzzOpen: what opens is exactly what its parts spell, and nothing else than
// the two codes is told.
func FuzzOpen(f *testing.F) {
	f.Add(testEnvelope(f))
	f.Add(sign(f, testCapability(f), testKey(f, 1)))
	for _, v := range vectorfile.Read[vectors](f).Envelopes {
		f.Add(vectorfile.Bytes(f, v.Envelope))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, d := range []Domain{DomainBinding, DomainCapability} {
			body, signer, err := Open(d, raw, 2048)
			if err != nil {
				if c := wire.CodeOf(err); c != wire.BadRequest && c != wire.TooLarge {
					t.Fatalf("unexpected %v", err)
				}
				continue
			}
			key, err := crypto.MarshalPublicKey(signer)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := wire.ParseFields(raw)
			if !bytes.Equal(envelopeBytes(body, key, f.Bytes(fieldSignature, 2048)), raw) {
				t.Fatalf("%x is not spelt by its parts", raw)
			}
		}
	})
}
