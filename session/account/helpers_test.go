package account

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// testKey returns the Ed25519 key whose seed is n repeated: the same in every run.
func testKey(t fataler, n byte) crypto.PrivKey {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testPeer(t fataler, n byte) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(testKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testAccount(t fataler, n byte) identity.Principal {
	t.Helper()
	p, err := identity.AccountPrincipal(testKey(t, n).GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testPresence(t fataler, n byte) Presence {
	t.Helper()
	p, err := NewPresence(bytes.NewReader(bytes.Repeat([]byte{n}, presenceSize)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func edited(t fataler, p Profile, device peer.ID, changes ...Change) Profile {
	t.Helper()
	next, _, err := p.Edit(device, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func merged(t fataler, p, q Profile) Profile {
	t.Helper()
	m, err := p.Merge(q)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantCode(t *testing.T, what string, err error, want wire.Code) {
	t.Helper()
	if got := wire.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, err, got, want)
	}
}
