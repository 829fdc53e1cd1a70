package integration

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/linking"
	"github.com/panpipe-net/panpipe/session/replica"
	"github.com/panpipe-net/panpipe/session/roster"
)

// person is a node of a world with an account, and what its roster has told.
type person struct {
	*world.Node
	t    *testing.T
	name string

	mu     sync.Mutex
	events []roster.Event
}

// newPerson gives a node an account of its own.
func newPerson(t *testing.T, n *world.Node, name string) *person {
	t.Helper()
	root, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	box, err := account.NewBox()
	if err != nil {
		t.Fatal(err)
	}
	act := account.Act{Key: n.Host().Peerstore().PrivKey(n.ID()), At: time.Now(), Random: rand.Reader}
	a, err := account.New(root, act, box, account.SetName(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.KeepAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return watched(t, n, name)
}

func watched(t *testing.T, n *world.Node, name string) *person {
	p := &person{Node: n, t: t, name: name}
	n.WatchRoster(func(e roster.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.events = append(p.events, e)
	})
	return p
}

// link makes a node one more device of the account.
func (p *person) link(n *world.Node, name string) *person {
	p.t.Helper()
	code, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		_, err := p.LinkDevice(p.t.Context(), func(o linking.Offer) { code <- o.Code }, func(linking.Attempt) {})
		ended <- err
	}()
	if _, err := n.JoinAccount(p.t.Context(), <-code, name); err != nil {
		p.t.Fatal(err)
	}
	if err := <-ended; err != nil {
		p.t.Fatal(err)
	}
	return watched(p.t, n, name)
}

func (p *person) roster() *roster.Roster {
	p.t.Helper()
	r, err := p.Roster()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *person) id() identity.Principal {
	a, _ := p.Account()
	return a.ID()
}

// befriends has p ask and q accept.
func (p *person) befriends(w *world.World, q *person) {
	p.t.Helper()
	if state, err := p.roster().Ask(p.t.Context(), q.id(), "it is "+p.name); err != nil || state != account.Requested {
		p.t.Fatalf("%s asks %s: %v, %v", p.name, q.name, state, err)
	}
	w.Pass(2 * time.Second) // the request reaches all devices
	if err := q.roster().Accept(p.t.Context(), p.id()); err != nil {
		p.t.Fatal(err)
	}
	w.Pass(5 * time.Second)
}

// buddies are bob, and alice with a laptop and a phone, who know each other.
func buddies(t *testing.T, w *world.World) (alice, phone, bob *person) {
	w.Settle(t)
	alice, bob = newPerson(t, w.Nodes[3], "alice"), newPerson(t, w.Nodes[5], "bob")
	w.Pass(5 * time.Second)
	phone = alice.link(w.Nodes[7], "phone")
	w.Pass(10 * time.Second)
	bob.befriends(w, alice)
	return alice, phone, bob
}

func (p *person) say(to *person, text string) {
	p.t.Helper()
	if _, err := p.roster().Send(p.t.Context(), to.id(), text); err != nil {
		p.t.Fatal(err)
	}
}

// shows is the conversation with another as p has it.
func (p *person) shows(with *person) (texts []string) {
	p.t.Helper()
	page, err := p.roster().Page(context.WithoutCancel(p.t.Context()), with.id(), replica.ID{}, 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range slices.Backward(page) {
		texts = append(texts, m.Text)
	}
	return texts
}

// sees is how near p sees a device of another account.
func (p *person) sees(q *person) roster.Presence {
	b, _ := p.roster().Buddy(q.id())
	for _, d := range b.Devices {
		if d.ID == q.ID() {
			return d.Presence
		}
	}
	return roster.Offline
}

func (p *person) wantHistory(with *person, want ...string) {
	p.t.Helper()
	if got := p.shows(with); !slices.Equal(got, want) {
		p.t.Errorf("%s shows %q, want %q", p.name, got, want)
	}
}

func TestTwoPeopleOnThreeDevicesChatAcrossTheOverlay(t *testing.T) {
	world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
		laptop, phone, bob := buddies(t, w)
		for _, p := range []*person{laptop, phone} {
			if b, ok := p.roster().Buddy(bob.id()); !ok || b.State != account.Accepted || b.Name != "bob" || p.sees(bob) != roster.Connected {
				t.Errorf("%s sees %+v", p.name, b)
			}
			if bob.sees(p) != roster.Connected {
				t.Errorf("bob sees %s as %v", p.name, bob.sees(p))
			}
		}
		laptop.say(bob, "hello")
		w.Pass(time.Second)
		bob.say(laptop, "hello to you")
		w.Pass(time.Second)
		phone.say(bob, "from the phone")
		w.Pass(2 * time.Second)
		for _, p := range []*person{laptop, phone} {
			p.wantHistory(bob, "hello", "hello to you", "from the phone")
		}
		bob.wantHistory(laptop, "hello", "hello to you", "from the phone")
	})
}

func TestLeaveDeathAndMoveAreSeen(t *testing.T) {
	world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		alice, bob, carol := newPerson(t, w.Nodes[3], "alice"), newPerson(t, w.Nodes[5], "bob"), newPerson(t, w.Nodes[7], "carol")
		w.Pass(5 * time.Second)
		bob.befriends(w, alice)
		carol.befriends(w, alice)
		defer alice.roster().Attend(bob.id())()
		defer alice.roster().Attend(carol.id())()
		w.Pass(10 * time.Second)
		offline := func(p *person) func(roster.Event) bool {
			return func(e roster.Event) bool {
				return e.Kind == roster.EventPresence && e.Device == p.ID() && e.Presence == roster.Offline
			}
		}

		w.Move(t, bob.Node)
		alice.forget()
		alice.say(bob, "while you move")
		w.Pass(10 * time.Second)
		bob.wantHistory(alice, "while you move")
		if alice.sees(bob) != roster.Connected {
			t.Errorf("alice sees %v", alice.sees(bob))
		}

		began := time.Now()
		w.Stop(t, bob.Node)
		w.Pass(time.Second)
		wantWithin(t, w, "clean leave", began, alice.when(offline(bob)), 3)

		began = time.Now()
		w.Kill(carol.Node)
		w.Pass(30 * time.Second)
		if seen := alice.when(offline(carol)); seen.IsZero() || seen.Sub(began) > 10*time.Second {
			t.Errorf("death seen after %v", seen.Sub(began))
		}
	})
}

func TestRevokedDeviceIsOutAcrossTheOverlay(t *testing.T) {
	world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		laptop, bob := newPerson(t, w.Nodes[3], "alice"), newPerson(t, w.Nodes[5], "bob")
		w.Pass(5 * time.Second)
		phone := laptop.link(w.Nodes[7], "phone")
		w.Pass(10 * time.Second)
		bob.befriends(w, laptop)
		phone.say(bob, "from the phone")
		w.Pass(5 * time.Second)
		if _, err := laptop.RevokeDevice(t.Context(), phone.ID()); err != nil {
			t.Fatal(err)
		}
		w.Pass(w.RTT())
		if got := phone.roster().Sessions(); len(got) != 0 {
			t.Errorf("the revoked device has sessions: %+v", got)
		}
		w.Pass(time.Minute)
		laptop.say(bob, "without the phone")
		w.Pass(time.Minute)
		bob.wantHistory(laptop, "from the phone", "without the phone")
		phone.wantHistory(bob, "from the phone")
		if b, _ := bob.roster().Buddy(laptop.id()); len(b.Devices) != 1 || b.Presence == roster.Offline {
			t.Errorf("bob sees %+v", b)
		}
		if a, _ := phone.Account(); !a.Revoked() {
			t.Error("the phone does not know")
		}
	})
}
