package control

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
	"github.com/panpipe-net/panpipe/session/roster"
)

// fakeRoster is a roster without a network: Bob is a buddy and Carol asks.
type fakeRoster struct {
	me, bob, carol identity.Principal
	device         peer.ID
	attention      chan int // how many are attended to, after each change

	mu       sync.Mutex
	buddies  []roster.Buddy
	requests []roster.Request
	messages []roster.Message // the newest last
	state    []byte
	status   string
	attended int
	refusal  error // of Ask and Send
	tell     func(roster.Event)
}

func newAccount(t testing.TB) identity.Principal {
	t.Helper()
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.AccountPrincipal(pub)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newFakeRoster(t testing.TB) *fakeRoster {
	ro := &fakeRoster{me: newAccount(t), bob: newAccount(t), carol: newAccount(t), device: newFakeNode(t).id, attention: make(chan int, 64)}
	ro.buddies = []roster.Buddy{{
		Account: ro.bob, Name: "Bob", Petname: "bobby", State: account.Accepted, Presence: roster.Connected, Known: true, Status: "at lunch",
		Devices: []roster.Device{{ID: ro.device, Presence: roster.Connected, Since: time.Now(), Direct: true}}, Seen: time.Now(),
	}}
	ro.requests = []roster.Request{{Account: ro.carol, Name: "Carol", Note: "hi", At: time.Now()}}
	return ro
}

func (ro *fakeRoster) watch(tell func(roster.Event)) (stop func()) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.tell = tell
	return func() {}
}

func (ro *fakeRoster) Account() identity.Principal { return ro.me }

func (ro *fakeRoster) Buddies() []roster.Buddy {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	return slices.Clone(ro.buddies)
}

func (ro *fakeRoster) Buddy(id identity.Principal) (roster.Buddy, bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, b := range ro.buddies {
		if b.Account == id {
			return b, true
		}
	}
	return roster.Buddy{}, false
}

// edit changes a buddy, which is made if it is not there.
func (ro *fakeRoster) edit(id identity.Principal, change func(b *roster.Buddy)) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	i := slices.IndexFunc(ro.buddies, func(b roster.Buddy) bool { return b.Account == id })
	if i < 0 {
		ro.buddies = append(ro.buddies, roster.Buddy{Account: id})
		i = len(ro.buddies) - 1
	}
	change(&ro.buddies[i])
	return nil
}

func (ro *fakeRoster) Requests() []roster.Request {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	return slices.Clone(ro.requests)
}

func (ro *fakeRoster) Ask(_ context.Context, id identity.Principal, note string) (account.State, error) {
	if len(note) > 256 {
		return 0, wire.Errorf(wire.BadRequest, "the note has %d bytes", len(note))
	}
	ro.edit(id, func(b *roster.Buddy) { b.State = account.Requested })
	return account.Requested, ro.refusal
}

func (ro *fakeRoster) Accept(_ context.Context, id identity.Principal) error {
	if err := ro.Decline(context.Background(), id); err != nil {
		return err
	}
	return ro.edit(id, func(b *roster.Buddy) { b.State = account.Accepted })
}

func (ro *fakeRoster) Decline(_ context.Context, id identity.Principal) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	before := len(ro.requests)
	ro.requests = slices.DeleteFunc(ro.requests, func(q roster.Request) bool { return q.Account == id })
	if len(ro.requests) == before {
		return wire.Errorf(wire.Unknown, "%s has not asked", id)
	}
	return nil
}

func (ro *fakeRoster) Remove(_ context.Context, id identity.Principal) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.buddies = slices.DeleteFunc(ro.buddies, func(b roster.Buddy) bool { return b.Account == id })
	return nil
}

func (ro *fakeRoster) Block(_ context.Context, id identity.Principal) error {
	return ro.edit(id, func(b *roster.Buddy) { b.Blocked = true })
}

func (ro *fakeRoster) Unblock(_ context.Context, id identity.Principal) error {
	return ro.edit(id, func(b *roster.Buddy) { b.Blocked = false })
}

func (ro *fakeRoster) SetPetname(_ context.Context, id identity.Principal, name string) error {
	return ro.edit(id, func(b *roster.Buddy) { b.Petname = name })
}

func (ro *fakeRoster) SetStatus(text string) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.status = text
	return nil
}

func (ro *fakeRoster) Attend(identity.Principal) (done func()) {
	ro.attend(1)
	return func() { ro.attend(-1) }
}

func (ro *fakeRoster) attend(n int) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.attended += n
	ro.attention <- ro.attended
}

// add has a message come, and tells of it.
func (ro *fakeRoster) add(text string, mine bool) roster.Message {
	ro.mu.Lock()
	id := replica.MakeID(replica.Stamp(len(ro.messages)+1), 7)
	m := roster.Message{With: ro.bob, ID: id, Place: id, Author: identity.PeerPrincipal(ro.device), Mine: mine, Sent: time.Now(), Text: text}
	ro.messages = append(ro.messages, m)
	tell := ro.tell
	ro.mu.Unlock()
	if tell != nil {
		tell(roster.Event{Kind: roster.EventMessage, Account: ro.bob, Message: m})
	}
	return m
}

func (ro *fakeRoster) Send(_ context.Context, _ identity.Principal, text string) (roster.Message, error) {
	if ro.refusal != nil {
		return roster.Message{}, ro.refusal
	}
	return ro.add(text, true), nil
}

func (ro *fakeRoster) Page(_ context.Context, _ identity.Principal, before replica.ID, n int) (page []roster.Message, _ error) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, m := range slices.Backward(ro.messages) {
		if len(page) < n && (before == replica.ID{} || placeText(m.Place) < placeText(before)) {
			page = append(page, m)
		}
	}
	return page, nil
}

func (ro *fakeRoster) MarkRead(_ context.Context, _ identity.Principal, upTo replica.ID) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for i := range ro.messages {
		if placeText(ro.messages[i].Place) <= placeText(upTo) {
			ro.messages[i].Delivery = roster.Read
		}
	}
	return nil
}

func (ro *fakeRoster) Unread(_ context.Context, _ identity.Principal, n int) (count int, _ error) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, m := range ro.messages {
		if !m.Mine && m.Delivery != roster.Read {
			count++
		}
	}
	return min(count, n), nil
}

func (ro *fakeRoster) State(context.Context, identity.Principal) ([]byte, error) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	return ro.state, nil
}

func (ro *fakeRoster) SetState(_ context.Context, _ identity.Principal, state []byte) error {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.state = state
	return nil
}

func (ro *fakeRoster) Sessions() []roster.Session {
	return []roster.Session{{Account: ro.bob, Device: ro.device, Kind: "chat", Since: time.Now(), Direct: true}}
}

// withFakeRoster has a server serve a fake roster.
func withFakeRoster(ro *fakeRoster) func(*Config) {
	return func(c *Config) {
		c.Roster, c.WatchRoster = func() (Roster, error) { return ro, nil }, ro.watch
	}
}
