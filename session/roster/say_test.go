package roster

import (
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

func TestWhatWasReadIsKnownOnAllDevices(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob := w.person("alice"), w.person("bob")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		bob.befriends(laptop)
		w.pass(5 * time.Second)
		alice := laptop.accountID()
		for _, s := range []string{"one", "two", "three"} {
			bob.say(laptop, s)
			w.pass(time.Second)
		}
		unread := func(n *node, want int) {
			t.Helper()
			if got, err := n.Unread(w.t.Context(), bob.accountID(), 100); err != nil || got != want {
				t.Errorf("%s: %d unread, %v, want %d", n.name, got, err, want)
			}
		}
		deliveries := func(want ...Delivery) {
			t.Helper()
			page, err := bob.Page(w.t.Context(), alice, replica.ID{}, 10)
			if err != nil || len(page) != len(want) {
				t.Fatalf("%+v, %v", page, err)
			}
			for i, m := range page {
				if m.Delivery != want[i] || !m.Mine {
					t.Errorf("%q is %v, want %v", m.Text, m.Delivery, want[i])
				}
			}
		}
		unread(laptop, 3)
		deliveries(Delivered, Delivered, Delivered)
		page, err := phone.Page(w.t.Context(), bob.accountID(), replica.ID{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := phone.MarkRead(w.t.Context(), bob.accountID(), page[1].Place); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		unread(laptop, 1)
		unread(phone, 1)
		deliveries(Delivered, Read, Read)
		if err := laptop.MarkRead(w.t.Context(), bob.accountID(), page[0].Place); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		unread(phone, 0)
		deliveries(Read, Read, Read)
		bob.say(laptop, "four")
		w.pass(rtt)
		laptop.stop()
		phone.stop()
		bob.say(laptop, "five")
		w.pass(time.Second)
		deliveries(Kept, Delivered, Read, Read, Read)
	})
}

func TestStateMovesWithTheConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		if err := bob.SetState(w.t.Context(), alice.accountID(), []byte("e4 e5")); err != nil {
			t.Fatal(err)
		}
		w.pass(5 * time.Second)
		if got, err := alice.State(w.t.Context(), bob.accountID()); err != nil || string(got) != "e4 e5" {
			t.Errorf("%q, %v", got, err)
		}
		if at := alice.when(func(e Event) bool { return e.Kind == EventState }); at.IsZero() {
			t.Error("nobody is told")
		}
	})
}

func TestTextsThatCannotBeSentStayWithTheCaller(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		w.pass(time.Second)
		bob.befriends(alice)
		if _, err := alice.Ask(w.t.Context(), carol.accountID(), ""); err != nil {
			t.Fatal(err)
		}
		for name, row := range map[string]struct {
			to   *node
			text string
			word wire.Code
		}{
			"nothing":                 {bob, "", wire.BadRequest},
			"no UTF-8":                {bob, "\xff", wire.BadRequest},
			"10 MB":                   {bob, strings.Repeat("x", 10<<20), wire.TooLarge},
			"to who has not answered": {carol, "x", wire.NotReady},
			"to this account":         {alice, "x", wire.Unknown},
			"escapes are only a text": {bob, "\x1b[2J", wire.OK},
			"as much as there may be": {bob, strings.Repeat("x", replica.MaxBody), wire.OK},
			"one byte above what may": {bob, strings.Repeat("x", replica.MaxBody+1), wire.TooLarge},
		} {
			if _, err := alice.Send(w.t.Context(), row.to.accountID(), row.text); wire.CodeOf(err) != row.word {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := alice.Block(w.t.Context(), bob.accountID()); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Send(w.t.Context(), bob.accountID(), "x"); wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("to a blocked account: %v", err)
		}
	})
}

func TestRequestsAndLogsSurviveARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		w.pass(time.Second)
		bob.befriends(alice)
		if _, err := carol.Ask(w.t.Context(), alice.accountID(), "from the club"); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		bob.stop()
		alice.stop()
		w.pass(time.Minute)
		alice.start()
		w.pass(time.Second)
		if got := alice.Requests(); len(got) != 1 || got[0].Note != "from the club" || got[0].Name != "carol" {
			t.Errorf("%+v", got)
		}
		if b, _ := alice.Buddy(bob.accountID()); b.Name != "bob" || len(b.Devices) != 1 || b.Seen.IsZero() {
			t.Errorf("%+v", b)
		}
		if err := alice.Decline(w.t.Context(), carol.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour) // carol asks again by herself
		if got := alice.Requests(); len(got) != 0 {
			t.Errorf("declined, and there again: %+v", got)
		}
		w.pass(declinedFor)
		if got := alice.Requests(); len(got) != 1 {
			t.Errorf("after a week: %+v", got)
		}
	})
}

func TestDamagedRecordIsLeftOut(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.person("alice"), w.person("bob")
		w.pass(time.Second)
		bob.befriends(alice)
		alice.stop()
		if err := alice.store.SaveContact(w.t.Context(), bob.accountID(), []byte("damaged")); err != nil {
			t.Fatal(err)
		}
		alice.start()
		w.pass(time.Minute)
		if b, _ := alice.Buddy(bob.accountID()); b.Name != "bob" && b.Presence == Offline {
			t.Errorf("%+v", b)
		}
	})
}

func TestSlowWatcherIsToldThatItLostEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		alice := w.person("alice")
		w.pass(time.Second)
		hold := make(chan struct{})
		var kinds []EventKind
		stop := alice.Watch(func(e Event) {
			<-hold
			kinds = append(kinds, e.Kind)
		})
		for range 3 * maxEvents {
			alice.Roster.mu.Lock()
			alice.tellLocked(Event{Kind: EventBuddy})
			alice.Roster.mu.Unlock()
		}
		close(hold)
		w.pass(time.Second)
		stop()
		if n := len(kinds); n < maxEvents || n > 2*maxEvents || kinds[n-1] != EventLost {
			t.Errorf("%d events, the last is %v", n, kinds[n-1])
		}
	})
}
