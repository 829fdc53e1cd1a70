package store

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestContactsComeBack(t *testing.T) {
	path := tempPath(t)
	s := mustOpen(t, path)
	alice := identity.PeerPrincipal("any bytes are a key here")
	for _, record := range []string{"first", "second"} {
		if err := s.SaveContact(ctx, alice, []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Contacts(ctx); wire.CodeOf(err) != wire.Internal {
		t.Errorf("a contact that is no principal: %v", err)
	}
	if err := s.SaveContact(ctx, alice, nil); err != nil {
		t.Fatal(err)
	}
	bob, err := identity.ParsePrincipal("acct:12D3KooWPT98FXMfDQYavZm66EeVjTqP9Nnehn1gyaydqV8L8BQw")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveContact(ctx, bob, []byte("bob")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	if got, err := s.Contacts(ctx); err != nil || len(got) != 1 || string(got[bob]) != "bob" {
		t.Errorf("%q, %v", got, err)
	}
}
