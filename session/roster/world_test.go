package roster

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the people of a test and the ether between them.
type world struct {
	t     *testing.T
	ether *ether
	keys  byte
	all   []*node
}

// inWorld runs a test in virtual time. Every node is closed behind it.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, ether: newEther()}
		defer func() {
			for _, n := range w.all {
				n.stop()
			}
		}()
		f(w)
	})
}

func (w *world) key() crypto.PrivKey {
	w.keys++
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{w.keys}, ed25519.SeedSize)))
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// node is a device of somebody, with its stores, which outlive its roster.
type node struct {
	*Roster
	w       *world
	name    string
	key     crypto.PrivKey
	id      peer.ID
	box     account.Box
	keeper  *account.Keeper
	store   *store.Store
	journal *store.Journal

	ended chan struct{}
	done  func() // stops watching

	mu     sync.Mutex
	events []Event
}

// memory is an account.Store.
type memory struct{ raw []byte }

func (m *memory) LoadAccount(context.Context) ([]byte, error) { return m.raw, nil }
func (m *memory) SaveAccount(_ context.Context, raw []byte) error {
	m.raw = raw
	return nil
}

func (w *world) newNode(name string) *node {
	w.t.Helper()
	n := &node{w: w, name: name, key: w.key()}
	var err error
	if n.id, err = peer.IDFromPrivateKey(n.key); err != nil {
		w.t.Fatal(err)
	}
	if n.box, err = account.NewBox(); err != nil {
		w.t.Fatal(err)
	}
	if n.keeper, err = account.Load(w.t.Context(), &memory{}, n.id); err != nil {
		w.t.Fatal(err)
	}
	if n.store, err = store.Open(w.t.Context(), ""); err != nil {
		w.t.Fatal(err)
	}
	n.journal, err = store.OpenJournal(w.t.Context(), store.JournalConfig{Self: identity.PeerPrincipal(n.id), Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.all = append(w.all, n)
	w.t.Cleanup(func() { n.store.Close(); n.journal.Close() })
	return n
}

func (n *node) act() account.Act { return account.Act{Key: n.key, At: time.Now(), Random: rand.Reader} }

func (n *node) set(a account.Account) {
	n.w.t.Helper()
	if _, err := n.keeper.Update(n.w.t.Context(), func(account.Account) (account.Account, error) { return a, nil }); err != nil {
		n.w.t.Fatal(err)
	}
}

// person makes an account with a first device, which runs.
func (w *world) person(name string) *node {
	w.t.Helper()
	n := w.newNode(name)
	a, err := account.New(w.key(), n.act(), n.box, account.SetName(name), account.NameDevice(n.id, name+"'s first"))
	if err != nil {
		w.t.Fatal(err)
	}
	n.set(a)
	n.start()
	return n
}

// linked makes one more device of n's account, which runs.
func (n *node) linked(name string) *node {
	n.w.t.Helper()
	d := n.w.newNode(name)
	var bundle account.Bundle
	_, err := n.keeper.Update(n.w.t.Context(), func(a account.Account) (account.Account, error) {
		a, err := a.AddDevice(n.act(), identity.Device{ID: d.id, Box: d.box.Public()}, name)
		if err == nil {
			bundle, err = a.Bundle(n.act())
		}
		return a, err
	})
	if err != nil {
		n.w.t.Fatal(err)
	}
	a, err := account.Linked(d.id, d.box, bundle)
	if err != nil {
		n.w.t.Fatal(err)
	}
	d.set(a)
	d.start()
	return d
}

func (n *node) start() {
	n.w.t.Helper()
	r, err := newRoster(Config{
		Self: n.id, Keeper: n.keeper, Act: n.act, Pipes: nothing{}, Journal: n.journal, Store: n.store, Now: time.Now,
	}, port{n.w.ether, n.id, n.keeper})
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.Roster, n.ended = r, make(chan struct{})
	n.done = r.Watch(func(e Event) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.events = append(n.events, e)
	})
	go func() {
		defer close(n.ended)
		if err := r.Run(context.Background()); err != nil {
			n.w.t.Errorf("%s: %v", n.name, err)
		}
	}()
}

// nothing stands for the pipes, which an ether replaces.
type nothing struct{ Pipes }

// stop ends a node cleanly.
func (n *node) stop() {
	if n.Roster == nil {
		return
	}
	if err := n.Close(); err != nil {
		n.w.t.Errorf("%s: %v", n.name, err)
	}
	<-n.ended
	n.done()
	n.Roster = nil
}

// befriends makes two people buddies: n asks, m accepts.
func (n *node) befriends(m *node) {
	n.w.t.Helper()
	if state, err := n.Ask(n.w.t.Context(), m.accountID(), "it is me"); err != nil || state != account.Requested {
		n.w.t.Fatalf("%s asks %s: %v, %v", n.name, m.name, state, err)
	}
	n.w.pass(rtt) // the request may have come to another device
	if err := m.Accept(n.w.t.Context(), n.accountID()); err != nil {
		n.w.t.Fatal(err)
	}
	n.w.pass(time.Second)
}

// pass lets time pass until everything rests.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (n *node) say(to *node, text string) Message {
	n.w.t.Helper()
	m, err := n.Send(n.w.t.Context(), to.accountID(), text)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return m
}

// history is what a node shows of its conversation with another's account.
func (n *node) history(with *node) (texts []string) {
	n.w.t.Helper()
	page, err := n.Page(n.w.t.Context(), with.accountID(), replica.ID{}, 1000)
	if err != nil {
		n.w.t.Fatal(err)
	}
	for _, m := range slices.Backward(page) {
		texts = append(texts, m.Text)
	}
	return texts
}

// accountID is that of a node that may be down.
func (n *node) accountID() identity.Principal {
	a, _ := n.keeper.Account()
	return a.ID()
}

// sees is how near n sees a device of another account.
func (n *node) sees(d *node) Presence {
	b, _ := n.Buddy(d.accountID())
	for _, shown := range b.Devices {
		if shown.ID == d.id {
			return shown.Presence
		}
	}
	return Offline
}

// when is when n was told of an event, zero if it was not.
func (n *node) when(ok func(Event) bool) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if ok(e) {
			return e.At
		}
	}
	return time.Time{}
}

func (n *node) forgetEvents() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = nil
}
