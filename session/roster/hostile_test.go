package roster

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// knock dials a device by hand, on its presence or contact pipe.
func (n *node) knock(at pipe.ID, to *node) conn {
	n.w.t.Helper()
	c, err := port{n.w.ether, n.id, n.keeper}.dialTo(n.w.t.Context(), at, to.id)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return c
}

func (n *node) presence() pipe.ID {
	a, _ := n.keeper.Account()
	p, _ := a.Profile().Presence()
	at, err := presencePipe(p)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return at.ID()
}

func (n *node) contact() pipe.ID { return pipe.ContactPipe(n.accountID()).ID() }

func (n *node) deviceLog() []byte {
	a, _ := n.keeper.Account()
	return a.Log().Bytes()
}

// ending reads a link to its end, and returns what it ends with and how many
// bytes came before.
func ending(c conn) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	total, b := 0, make([]byte, 4096)
	for {
		n, err := c.Read(b)
		total += n
		if err != nil {
			return total, err
		}
	}
}

func TestStrangersAndTheBlockedHearNothingOnThePresencePipe(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob, eve := w.person("alice"), w.person("bob"), w.person("eve")
		w.pass(time.Second)
		bob.befriends(alice)
		if err := alice.Block(w.t.Context(), eve.accountID()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		stranger := w.person("stranger")
		w.pass(time.Second)
		for name, row := range map[string]struct {
			who  *node
			log  []byte
			word wire.Code
		}{
			"a stranger":                        {stranger, stranger.deviceLog(), wire.Unbound},
			"who is blocked":                    {eve, eve.deviceLog(), wire.Unbound},
			"a stranger with a buddy's log":     {stranger, bob.deviceLog(), wire.Forbidden},
			"a stranger with alice's own log":   {stranger, alice.deviceLog(), wire.Forbidden},
			"a log that does not parse":         {stranger, []byte("no log"), wire.BadRequest},
			"a buddy's log with a byte changed": {bob, append(bob.deviceLog()[:40:40], bob.deviceLog()[41:]...), wire.BadRequest},
		} {
			for _, p := range []buddy.Purpose{buddy.PurposeRoster, buddy.PurposeChat} {
				c := row.who.knock(alice.presence(), alice)
				if err := buddy.WriteHello(c, buddy.Hello{Purpose: p, Log: row.log}); err != nil {
					t.Fatal(err)
				}
				if n, err := ending(c); n != 0 || wire.CodeOf(err) != row.word {
					t.Errorf("%s, %s: %d bytes and %v", name, p, n, err)
				}
			}
		}
	})
}

// The answers to a stranger and to a blocked account are the same to the byte.
func TestBlockedAccountIsAnsweredLikeAStranger(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, eve := w.person("alice"), w.person("eve")
		w.pass(time.Second)
		hear := func() (answer buddy.Answer, took time.Duration) {
			began := time.Now()
			c := eve.knock(alice.contact(), alice)
			if err := buddy.WriteHello(c, buddy.Hello{Purpose: buddy.PurposeAsk, Log: eve.deviceLog()}); err != nil {
				t.Fatal(err)
			}
			if _, err := buddy.ReadHello(c); err != nil {
				t.Fatal(err)
			}
			secret := buddy.PresencePipe(identity.PeerPrincipal(eve.id), [16]byte{1}).Bytes()
			if err := buddy.WriteAsk(c, buddy.Ask{Name: "eve", Note: "hi", Secret: secret}); err != nil {
				t.Fatal(err)
			}
			answer, err := buddy.ReadAnswer(c)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
			return answer, time.Since(began)
		}
		first, took := hear()
		if err := alice.Block(w.t.Context(), eve.accountID()); err != nil {
			t.Fatal(err)
		}
		second, then := hear()
		if first.Accepted || second.Accepted || took != then {
			t.Errorf("%+v after %v, blocked %+v after %v", first, took, second, then)
		}
		if got := alice.Requests(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestFloodOfRequestsIsBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		alice := w.person("alice")
		w.pass(time.Second)
		busy := 0
		one := w.person("one")
		w.pass(time.Second)
		for range 50 {
			c := one.knock(alice.contact(), alice)
			if err := buddy.WriteHello(c, buddy.Hello{Purpose: buddy.PurposeAsk, Log: one.deviceLog()}); err != nil {
				t.Fatal(err)
			}
			if _, err := buddy.ReadHello(c); wire.CodeOf(err) == wire.Busy {
				busy++
			}
			_ = c.Close()
		}
		if busy < 40 {
			t.Errorf("%d of 50 at once were refused", busy)
		}
		for range maxRequests + 20 {
			n := w.newNode("many")
			a, err := account.New(w.key(), n.act(), n.box, account.SetName("many"))
			if err != nil {
				t.Fatal(err)
			}
			log := a.Log()
			secret := buddy.PresencePipe(identity.PeerPrincipal(n.id), [16]byte{1}).Bytes()
			if _, err := alice.answer(a.ID(), log, buddy.Ask{Name: "many", Secret: secret}); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(alice.Requests()); got != maxRequests {
			t.Errorf("%d requests are kept", got)
		}
		declined := alice.Requests()[0].Account
		if err := alice.Decline(w.t.Context(), declined); err != nil {
			t.Fatal(err)
		}
		if got := len(alice.Requests()); got != maxRequests-1 {
			t.Errorf("%d requests are kept", got)
		}
	})
}

func TestBuddyWhoBreaksTheRulesIsCutOff(t *testing.T) {
	for name, row := range map[string]struct {
		say  func(c conn)
		word wire.Code
	}{
		"a flood of frames": {func(c conn) {
			for range 100 {
				_ = buddy.WriteFrame(c, buddy.Ping{})
			}
		}, wire.Busy},
		"a flood of logs": {func(c conn) {
			for range 20 {
				_ = buddy.WriteFrame(c, buddy.Log([]byte("x")))
			}
		}, wire.BadRequest},
		"an own device's frame": {func(c conn) { _ = buddy.WriteFrame(c, buddy.Profile{Delta: []byte("x")}) }, wire.Forbidden},
		"bytes":                 {func(c conn) { _, _ = c.Write([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")) }, wire.BadRequest},
		"10 MB":                 {func(c conn) { _, _ = c.Write([]byte{0x80, 0x80, 0x80, 0x05}) }, wire.TooLarge},
		"silence":               {func(conn) {}, wire.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				alice, bob := w.person("alice"), w.person("bob")
				w.pass(time.Second)
				bob.befriends(alice)
				w.pass(time.Second)
				at := alice.presence()
				bob.stop()
				w.pass(time.Minute)
				c := bob.knock(at, alice)
				if err := buddy.WriteHello(c, buddy.Hello{Purpose: buddy.PurposeRoster, Log: bob.deviceLog(), Run: buddy.NewRun()}); err != nil {
					t.Fatal(err)
				}
				if _, err := buddy.ReadHello(c); err != nil {
					t.Fatal(err)
				}
				go row.say(c)
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Minute))
				for {
					if _, err := buddy.ReadFrame(c, false); err != nil {
						if wire.CodeOf(err) != row.word {
							t.Errorf("ends with %v, want %s", err, row.word)
						}
						return
					}
				}
			})
		})
	}
}

func TestNobodyWaitsForAHelloForEver(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, eve := w.person("alice"), w.person("eve")
		w.pass(time.Second)
		for _, at := range []pipe.ID{alice.presence(), alice.contact()} {
			began := time.Now()
			c := eve.knock(at, alice)
			_, err := ending(c)
			if took := time.Since(began) - rtt; wire.CodeOf(err) != wire.Timeout || took > helloTime+rtt {
				t.Errorf("after %v: %v", took, err)
			}
		}
	})
}

// A device that was revoked, and shows the log from before, is not let in by who
// knows better, and is told by its own account.
func TestRevokedDeviceThatSignsOnIsOut(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop, bob := w.person("alice"), w.person("bob")
		phone := laptop.linked("phone")
		w.pass(10 * time.Second)
		bob.befriends(laptop)
		w.pass(10 * time.Second)
		old, at := phone.deviceLog(), bob.presence()
		phone.stop()
		if _, err := laptop.keeper.Update(w.t.Context(), func(a account.Account) (account.Account, error) {
			return a.Revoke(laptop.act(), phone.id)
		}); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		for _, p := range []buddy.Purpose{buddy.PurposeRoster, buddy.PurposeChat} {
			c := phone.knock(at, bob)
			if err := buddy.WriteHello(c, buddy.Hello{Purpose: p, Log: old}); err != nil {
				t.Fatal(err)
			}
			if n, err := ending(c); n != 0 || wire.CodeOf(err) != wire.Forbidden {
				t.Errorf("%s: %d bytes and %v", p, n, err)
			}
		}
		phone.start()
		w.pass(time.Minute)
		if a, _ := phone.keeper.Account(); !a.Revoked() {
			t.Error("the phone does not know that it was revoked")
		}
	})
}

// What is said to a device while it is revoked, read by hand: it hears the log
// and nothing of the new presence or profile.
func TestRevokedDeviceIsToldNothingNew(t *testing.T) {
	inWorld(t, func(w *world) {
		laptop := w.person("alice")
		phone := laptop.linked("phone")
		w.pass(time.Second)
		phone.stop()
		w.pass(time.Second)
		c := phone.knock(laptop.presence(), laptop)
		if err := buddy.WriteHello(c, buddy.Hello{Purpose: buddy.PurposeRoster, Log: phone.deviceLog(), Run: buddy.NewRun()}); err != nil {
			t.Fatal(err)
		}
		if _, err := buddy.ReadHello(c); err != nil {
			t.Fatal(err)
		}
		a, _ := phone.keeper.Account()
		if err := buddy.WriteFrame(c, digestOf(a)); err != nil { // so that deltas follow
			t.Fatal(err)
		}
		w.pass(time.Second)
		var revoked atomic.Bool
		go func() {
			<-time.After(time.Second)
			_, err := laptop.keeper.Update(w.t.Context(), func(a account.Account) (account.Account, error) {
				revoked.Store(true)
				return a.Revoke(laptop.act(), phone.id)
			})
			if err != nil {
				t.Error(err)
			}
		}()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		heard := false
		for {
			f, err := buddy.ReadFrame(c, true)
			if err != nil {
				break
			}
			_, log := f.(buddy.Log)
			heard = heard || log
			if revoked.Load() && !log {
				t.Errorf("it is told %T", f)
			}
		}
		if !heard {
			t.Error("it does not hear that it was revoked")
		}
	})
}
