package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

func TestCleanLeaveIsSeenInHalfARoundTrip(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		w.pass(10 * time.Second)
		bob.forgetEvents()
		left := time.Now()
		alice.stop()
		w.pass(time.Second)
		seen := bob.when(func(e Event) bool { return e.Kind == EventPresence && e.Presence == Offline })
		if took := seen.Sub(left); seen.IsZero() || took > 3*rtt {
			t.Errorf("seen after %v", took)
		}
		if bob.sees(alice) != Offline {
			t.Errorf("bob sees %v", bob.sees(alice))
		}
	})
}

func TestDeathOfWhomSomebodyLooksAtIsSeenWithin10s(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		defer bob.Attend(alice.accountID())()
		w.pass(time.Minute)
		if bob.sees(alice) != Connected {
			t.Fatalf("bob sees %v", bob.sees(alice))
		}
		bob.forgetEvents()
		died := time.Now()
		w.ether.silence(alice.id)
		w.pass(20 * time.Second)
		seen := bob.when(func(e Event) bool { return e.Kind == EventPresence && e.Presence == Offline })
		if took := seen.Sub(died); seen.IsZero() || took > 10*time.Second {
			t.Errorf("seen after %v", took)
		}
	})
}

func TestWrittenWhileAwayArrivesOnceWhenBack(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		alice.say(bob, "before")
		w.pass(5 * time.Second)
		bob.stop()
		w.pass(time.Hour)
		for _, s := range []string{"one", "two", "three"} {
			alice.say(bob, s)
		}
		w.pass(time.Hour)
		bob.start()
		w.pass(5 * time.Second)
		if got := bob.history(alice); !slices.Equal(got, []string{"before", "one", "two", "three"}) {
			t.Errorf("bob shows %q", got)
		}
		if alice.sees(bob) != Connected {
			t.Errorf("alice sees %v", alice.sees(bob))
		}
	})
}

func TestRequestsThatCrossMakeBuddies(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		answers := make(chan error, 2)
		for _, n := range []*node{alice, bob} {
			to := map[*node]*node{alice: bob, bob: alice}[n]
			go func() {
				_, err := n.Ask(w.t.Context(), to.accountID(), "")
				answers <- err
			}()
		}
		for range 2 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		w.pass(time.Minute)
		for _, n := range []*node{alice, bob} {
			to := map[*node]*node{alice: bob, bob: alice}[n]
			if b, _ := n.Buddy(to.accountID()); b.State != account.Accepted || b.Presence != Connected || len(n.Requests()) != 0 {
				t.Errorf("%s: %+v, %v", n.name, b, n.Requests())
			}
		}
	})
}

func TestRequestReachesWhoWasAwayAndHeWhoAskedToo(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.stop()
		if state, err := alice.Ask(w.t.Context(), bob.accountID(), "hi"); wire.CodeOf(err) != wire.Unbound || state != account.Requested {
			t.Errorf("%v, %v", state, err)
		}
		bob.start()
		w.pass(2 * time.Minute)
		if got := bob.Requests(); len(got) != 1 || got[0].Note != "hi" || got[0].Name != "alice" {
			t.Fatalf("%+v", got)
		}
		alice.stop()
		if err := bob.Accept(w.t.Context(), alice.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		alice.start()
		w.pass(time.Minute)
		if b, _ := alice.Buddy(bob.accountID()); b.State != account.Accepted || b.Presence != Connected {
			t.Errorf("%+v", b)
		}
	})
}

func TestBlockedAccountHearsPendingForEverAndLearnsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		w.pass(10 * time.Second)
		if err := alice.Block(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		if bob.sees(alice) != Offline || len(bob.Sessions()) != 0 || len(alice.Sessions()) != 0 {
			t.Errorf("bob sees %v, %v", bob.sees(alice), bob.Sessions())
		}
		w.pass(2 * time.Hour)
		if bob.sees(alice) != Offline {
			t.Errorf("bob sees %v", bob.sees(alice))
		}
		if err := bob.Remove(w.t.Context(), alice.accountID()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if state, err := bob.Ask(w.t.Context(), alice.accountID(), "please"); err != nil || state != account.Requested {
				t.Errorf("%v, %v", state, err)
			}
		}
		if got := alice.Requests(); len(got) != 0 {
			t.Errorf("alice is bothered: %+v", got)
		}
		if err := alice.Unblock(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		if b, _ := alice.Buddy(bob.accountID()); b.State != account.Accepted || b.Presence == Offline {
			t.Errorf("after the block: %+v", b)
		}
	})
}

func TestRemovedBuddyIsCutOffAndOthersAreNot(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		w.pass(time.Second)
		bob.befriends(alice)
		carol.befriends(alice)
		alice.say(carol, "a")
		w.pass(10 * time.Second)
		if err := alice.Remove(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		if bob.sees(alice) != Offline || carol.sees(alice) != Connected {
			t.Errorf("bob sees %v, carol %v", bob.sees(alice), carol.sees(alice))
		}
		if _, err := alice.Send(w.t.Context(), bob.accountID(), "x"); wire.CodeOf(err) != wire.Unknown {
			t.Errorf("%v", err)
		}
		// Carol has the new secret: she finds alice again.
		carol.stop()
		w.pass(time.Minute)
		carol.start()
		w.pass(5 * time.Second)
		if carol.sees(alice) != Connected {
			t.Errorf("carol sees %v", carol.sees(alice))
		}
	})
}

func TestBuddyWhoMissedANewSecretAsksForIt(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		w.pass(time.Second)
		bob.befriends(alice)
		carol.befriends(alice)
		alice.say(carol, "a")
		w.pass(10 * time.Second)
		carol.stop()
		if err := alice.Block(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		carol.start()
		w.pass(5 * time.Second)
		if carol.sees(alice) != Connected {
			t.Errorf("carol sees %v", carol.sees(alice))
		}
	})
}

func TestRevokedDeviceIsOut(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob := w.person("alice"), w.person("bob")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		bob.befriends(laptop)
		w.pass(10 * time.Second)
		if bob.sees(phone) != Connected {
			t.Fatalf("bob sees %v", bob.sees(phone))
		}
		if _, err := laptop.keeper.Update(w.t.Context(), func(a account.Account) (account.Account, error) {
			return a.Revoke(laptop.act(), phone.id)
		}); err != nil {
			t.Fatal(err)
		}
		w.pass(rtt)
		if got := len(phone.Sessions()); got != 0 {
			t.Errorf("%d sessions of the revoked device after a round trip", got)
		}
		laptop.say(bob, "without the phone")
		w.pass(time.Minute)
		if b, _ := bob.Buddy(laptop.accountID()); len(b.Devices) != 1 || b.Presence != Connected {
			t.Errorf("%+v", b)
		}
		if got := bob.history(laptop); !slices.Equal(got, []string{"without the phone"}) {
			t.Errorf("bob shows %q", got)
		}
		if got := phone.history(bob); len(got) != 0 {
			t.Errorf("the revoked device shows %q", got)
		}
		is, _ := laptop.keeper.Account()
		has, _ := phone.keeper.Account()
		now, _ := is.Profile().Presence()
		if before, _ := has.Profile().Presence(); before == now || !has.Revoked() {
			t.Error("the revoked device knows the new presence, or does not know that it was revoked")
		}
		if _, err := phone.Send(w.t.Context(), bob.accountID(), "x"); wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("it may still write: %v", err)
		}
		bob.say(laptop, "are you alone?")
		w.pass(time.Hour)
		if got := phone.history(bob); len(got) != 0 {
			t.Errorf("the revoked device shows %q", got)
		}
	})
}

func TestOwnDevicesComeToAgree(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		bob.befriends(laptop)
		w.pass(5 * time.Second)
		phone.stop()
		if err := laptop.SetPetname(w.t.Context(), bob.accountID(), "bobby"); err != nil {
			t.Fatal(err)
		}
		carol.befriends(laptop)
		w.pass(time.Hour)
		phone.start()
		w.pass(10 * time.Second)
		for _, n := range []*node{laptop, phone} {
			b, _ := n.Buddy(bob.accountID())
			c, _ := n.Buddy(carol.accountID())
			if b.Petname != "bobby" || c.State != account.Accepted || c.Presence == Offline {
				t.Errorf("%s: %+v, %+v", n.name, b, c)
			}
		}
		if err := phone.SetPetname(w.t.Context(), carol.accountID(), "caro"); err != nil {
			t.Fatal(err)
		}
		w.pass(rtt)
		if c, _ := laptop.Buddy(carol.accountID()); c.Petname != "caro" {
			t.Errorf("laptop: %+v", c)
		}
	})
}

func TestRequestIsShownOnAllDevicesAndGoneFromAll(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		for _, n := range []*node{bob, carol} {
			if _, err := n.Ask(w.t.Context(), laptop.accountID(), "hi"); err != nil {
				t.Fatal(err)
			}
		}
		w.pass(time.Second)
		for _, n := range []*node{laptop, phone} {
			if got := n.Requests(); len(got) != 2 {
				t.Fatalf("%s: %+v", n.name, got)
			}
		}
		if err := phone.Decline(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		if err := laptop.Accept(w.t.Context(), carol.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		for _, n := range []*node{laptop, phone} {
			if got := n.Requests(); len(got) != 0 {
				t.Errorf("%s: %+v", n.name, got)
			}
		}
	})
}

// TestAYesThatComesTooLateMakesNoBuddy: it was on its way when a person ended the
// friendship.
func TestAYesThatComesTooLateMakesNoBuddy(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		w.pass(10 * time.Second)
		if err := bob.Remove(w.t.Context(), alice.Account()); err != nil {
			t.Fatal(err)
		}
		if err := bob.befriend(alice.Account(), nil); wire.CodeOf(err) != wire.Unbound {
			t.Errorf("the late yes: %v", err)
		}
		if b, _ := bob.Buddy(alice.Account()); b.State != account.Removed {
			t.Errorf("a buddy that was removed is %s", b.State)
		}
	})
}
