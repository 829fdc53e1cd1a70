package roster

import (
	"io"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// echo answers lines with what they say, and tells how each ended.
func echo(ended chan<- error) func(Line) {
	return func(l Line) {
		_, err := io.Copy(l, l)
		l.Close()
		ended <- err
	}
}

func TestLinesCarryBytesAndEndWithTheirDevice(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		phone := alice.linked("phone")
		ended := make(chan error, 2)
		bob.ServeCalls(echo(ended))
		w.pass(time.Second)
		bob.befriends(alice)
		w.pass(10 * time.Second)
		ids, err := phone.Reach(bob.accountID())
		if err != nil || len(ids) != 1 || ids[0] != bob.id {
			t.Fatalf("reaches %v, %v", ids, err)
		}
		l, err := phone.Dial(w.t.Context(), bob.accountID(), bob.id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(l, b); err != nil || string(b) != "hello" {
			t.Fatalf("%q, %v", b, err)
		}
		if _, err := alice.keeper.Update(w.t.Context(), func(a account.Account) (account.Account, error) {
			return a.Revoke(alice.act(), phone.id)
		}); err != nil {
			t.Fatal(err)
		}
		w.pass(5 * time.Second)
		if _, err := l.Read(b); err == nil {
			t.Error("the line of a revoked device goes on")
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Error("bob sees an end in good order")
			}
		default:
			t.Error("bob's line goes on")
		}
		if _, err := phone.Dial(w.t.Context(), bob.accountID(), bob.id); err == nil {
			t.Error("a revoked device dials")
		}
	})
}

func TestLinesAreForBuddiesAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		ended := make(chan error, 2)
		w.pass(time.Second)
		for name, reach := range map[string]struct {
			id   identity.Principal
			code wire.Code
		}{"a stranger": {bob.accountID(), wire.Unknown}, "nobody else": {alice.accountID(), wire.Unreachable}} {
			if _, err := alice.Reach(reach.id); wire.CodeOf(err) != reach.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		bob.befriends(alice)
		w.pass(10 * time.Second)
		if _, err := alice.Dial(w.t.Context(), bob.accountID(), bob.id); wire.CodeOf(err) != wire.Unsupported {
			t.Errorf("nobody serves calls there, and the dialer hears %v", err)
		}
		bob.ServeCalls(echo(ended))
		l, err := alice.Dial(w.t.Context(), bob.accountID(), bob.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := bob.Block(w.t.Context(), alice.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		if _, err := l.Read(make([]byte, 1)); err == nil {
			t.Error("the line of a blocked account goes on")
		}
		<-ended
		if _, err := alice.Dial(w.t.Context(), bob.accountID(), bob.id); err == nil {
			t.Error("a blocked account dials")
		}
	})
}
