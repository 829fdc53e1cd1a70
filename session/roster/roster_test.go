package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
)

func TestTwoPeopleOnThreeDevicesBecomeBuddiesAndChat(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob := w.person("alice"), w.person("bob")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		bob.befriends(laptop)
		for _, n := range []*node{laptop, phone} {
			if b, ok := n.Buddy(bob.accountID()); !ok || b.State != account.Accepted || b.Name != "bob" {
				t.Errorf("%s: %+v", n.name, b)
			}
		}
		if b, _ := bob.Buddy(laptop.accountID()); b.State != account.Accepted || b.Name != "alice" || len(b.Devices) != 2 || b.Presence != Connected {
			t.Errorf("bob: %+v", b)
		}
		laptop.say(bob, "hello")
		w.pass(time.Second)
		bob.say(laptop, "hello to you")
		w.pass(time.Second)
		phone.say(bob, "from the phone")
		w.pass(2 * time.Second)
		want := []string{"hello", "hello to you", "from the phone"}
		for _, n := range []*node{laptop, phone} {
			if got := n.history(bob); !slices.Equal(got, want) {
				t.Errorf("%s shows %q", n.name, got)
			}
		}
		if got := bob.history(laptop); !slices.Equal(got, want) {
			t.Errorf("bob shows %q", got)
		}
		page, err := laptop.Page(w.t.Context(), bob.accountID(), replica.ID{}, 1)
		if err != nil || page[0].Delivery != Delivered || !page[0].Mine {
			t.Errorf("%+v, %v", page, err)
		}
	})
}
