package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/call"
	"github.com/panpipe-net/panpipe/session/roster"
)

// people is the node's account, and what lives as long as it:
//
//	none ── kept, imported, joined ──▶ account, journal, roster ── logged out ──▶ none
//
// An account that is stored has its journal and roster from the start on.
type people struct {
	// fixed after loadAccount
	key    crypto.PrivKey // the node's own
	keeper *account.Keeper
	box    account.Box // for an account that this node joins; the same for each try, so that one can be made again

	watches     watches[roster.Event]
	callWatches watches[call.Event]

	sealing sync.Mutex // held over a second's work with a quarter of a GiB: scrypt
	life    sync.Mutex // held while an account begins or ends

	mu     sync.Mutex
	now    *person // guarded by mu; nil without an account
	closed bool    // guarded by mu
}

// person is what lives as long as the account.
type person struct {
	roster *roster.Roster
	calls  *call.Calls
	stop   func() error // ends all of it
}

// loadAccount takes up the account that is stored, if there is one.
func (n *Node) loadAccount(ctx context.Context, key crypto.PrivKey) error {
	me, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return wire.Errorf(wire.Internal, "identity key: %w", err)
	}
	n.people.key = key
	if n.people.box, err = account.NewBox(); err != nil {
		return err
	}
	n.people.keeper, err = account.Load(ctx, n.store, me)
	return err
}

// startPeople begins what the stored account needs.
func (n *Node) startPeople(ctx context.Context) error {
	n.onClose(n.closePeople)
	if a, _ := n.people.keeper.Account(); a.IsZero() {
		return nil
	}
	return n.beginPerson(ctx)
}

func (n *Node) closePeople() error {
	n.people.mu.Lock()
	n.people.closed = true
	n.people.mu.Unlock()
	n.people.life.Lock()
	defer n.people.life.Unlock()
	return n.endPerson()
}

// Roster is the buddies of the node's account and what is said to them. It is
// there as long as the account is: NotReady without one.
func (n *Node) Roster() (*roster.Roster, error) {
	n.people.mu.Lock()
	defer n.people.mu.Unlock()
	if n.people.now == nil {
		return nil, account.ErrNone
	}
	return n.people.now.roster, nil
}

// WatchRoster has tell called with each event of the roster, in order, and of the
// next account's after a logout, until stop is called. It must not block.
func (n *Node) WatchRoster(tell func(roster.Event)) (stop func()) { return n.people.watches.add(tell) }

// Calls makes calls and data sessions to the devices of buddies, and takes
// theirs. It is there as long as the account is: NotReady without one.
func (n *Node) Calls() (*call.Calls, error) {
	n.people.mu.Lock()
	defer n.people.mu.Unlock()
	if n.people.now == nil {
		return nil, account.ErrNone
	}
	return n.people.now.calls, nil
}

// WatchCalls has tell called with each event of calls until stop is called, by
// many goroutines at once. It must not block.
func (n *Node) WatchCalls(tell func(call.Event)) (stop func()) { return n.people.callWatches.add(tell) }

// act is what it takes to sign for the account now.
func (n *Node) act() account.Act {
	return account.Act{Key: n.people.key, At: time.Now(), Random: rand.Reader}
}

// beginPerson opens journal and roster of the account, or leaves nothing. ctx
// bounds that alone. The caller holds people.life, or is Start.
func (n *Node) beginPerson(ctx context.Context) error {
	j, err := store.OpenJournal(ctx, store.JournalConfig{
		Path: n.journalPath(), Self: n.Principal(), Now: time.Now, ConversationBytes: n.cfg.Limits.Conversation,
	})
	if err != nil {
		return err
	}
	r, err := roster.New(roster.Config{
		Self: n.ID(), Keeper: n.people.keeper, Act: n.act, Pipes: n.pipes, Journal: j, Store: n.store, Now: time.Now, Log: n.log("roster"),
	})
	if err != nil {
		return errors.Join(err, j.Close())
	}
	n.people.mu.Lock()
	defer n.people.mu.Unlock()
	if n.people.closed {
		return errors.Join(wire.Errorf(wire.Closed, "the node is closed"), r.Close(), j.Close())
	}
	unwatch := r.Watch(n.people.watches.tell)
	calls := n.newCalls(r)
	stop := n.service(ctx, "roster", r.Run, r.Close)
	n.people.now = &person{roster: r, calls: calls, stop: func() error {
		err := errors.Join(calls.Close(), stop())
		unwatch()
		return errors.Join(err, j.Close())
	}}
	return nil
}

// newCalls has calls go over the lines of a roster.
func (n *Node) newCalls(r *roster.Roster) *call.Calls {
	calls := call.New(call.Config{
		Reach: r.Reach, Now: time.Now, Tell: n.people.callWatches.tell,
		Dial: func(ctx context.Context, id identity.Principal, device peer.ID) (call.Line, error) {
			l, err := r.Dial(ctx, id, device)
			if err != nil {
				return nil, err
			}
			return l, nil
		},
	})
	r.ServeCalls(func(l roster.Line) { calls.Take(l.Account, l.Device, l) })
	return calls
}

// endPerson ends what beginPerson began. The caller holds people.life.
func (n *Node) endPerson() error {
	n.people.mu.Lock()
	now := n.people.now
	n.people.now = nil
	n.people.mu.Unlock()
	if now == nil {
		return nil
	}
	return now.stop()
}

func (n *Node) journalPath() string {
	if n.cfg.StateDir == "" {
		return ""
	}
	return filepath.Join(n.cfg.StateDir, store.JournalName)
}

// journalFiles are the endings of SQLite's files beside the journal, it included.
func journalFiles() []string { return []string{"", "-wal", "-shm"} }

// eraseJournal removes the history of an account that ends.
func (n *Node) eraseJournal() error {
	path := n.journalPath()
	if path == "" {
		return nil
	}
	for _, ending := range journalFiles() {
		if err := os.Remove(path + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wire.Errorf(wire.Internal, "erase the history: %w", err).WithNext("remove %s*", path)
		}
	}
	return syncDir(n.cfg.StateDir)
}

// eraseContacts removes what an account that ends knows of others.
func (n *Node) eraseContacts(ctx context.Context) error {
	all, err := n.store.Contacts(ctx)
	for id := range all {
		err = errors.Join(err, n.store.SaveContact(ctx, id, nil))
	}
	return err
}

// setJournalAside moves a journal away that no stored account belongs to: the
// store was lost, or put back. Nothing of it is lost, and nothing mixed.
func (n *Node) setJournalAside() error {
	path := n.journalPath()
	if _, err := os.Stat(path); path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside := fmt.Sprintf("%s.%d", path, time.Now().UnixMilli())
	for _, ending := range journalFiles() {
		if err := os.Rename(path+ending, aside+ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wire.Errorf(wire.Internal, "set the journal of another account aside: %w", err)
		}
	}
	n.log("roster").Warn("a journal without account was set aside", slog.String("file", aside))
	return syncDir(n.cfg.StateDir)
}

// Devices tells how near the devices of the node's account are: none without one.
func (n *Node) Devices() []roster.Device {
	r, err := n.Roster()
	if err != nil {
		return nil
	}
	return r.Devices()
}
