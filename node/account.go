package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// Account returns the account that this node is a device of, zero where there is
// none, and a channel that is closed when it has changed.
func (n *Node) Account() (account.Account, <-chan struct{}) { return n.people.keeper.Account() }

// DraftAccount makes a new account for this node to become the first device of,
// and a recovery file for it. Nothing of it is kept: the file is written down
// first, then KeepAccount takes the account. It takes a second and a quarter of a
// GiB. Errors: Taken where the node has an account, those of account.NewDraft.
func (n *Node) DraftAccount(passphrase string, changes ...account.Change) (account.Draft, error) {
	if err := n.mayBegin(identity.Principal{}); err != nil {
		return account.Draft{}, err
	}
	box, err := account.NewBox()
	if err != nil {
		return account.Draft{}, err
	}
	n.people.sealing.Lock()
	defer n.people.sealing.Unlock()
	return account.NewDraft(n.act(), box, passphrase, changes...)
}

// KeepAccount makes the account of a draft the node's. Taken where it has one.
func (n *Node) KeepAccount(ctx context.Context, a account.Account) error {
	if a.IsZero() || a.Me() != n.ID() {
		return wire.Errorf(wire.BadRequest, "this is no draft of an account on this node")
	}
	return n.begin(ctx, a.ID(), func(account.Account) (account.Account, error) { return a, nil })
}

// ImportAccount has the root in a recovery file take this node into its account.
// The other devices stay if a newer device log than the file's is found, here or
// in the overlay, and else are left out, as all are with Alone: the file may be
// older than the loss of one. Errors: those of account.Import, and Taken where the
// node has another account.
func (n *Node) ImportAccount(ctx context.Context, q account.ImportRequest) (account.Account, error) {
	before, _ := n.Account()
	if err := n.mayBegin(before.ID()); err != nil {
		return account.Account{}, err
	}
	r, err := n.openRecovery(q.File, q.Passphrase)
	if err != nil {
		return account.Account{}, err
	}
	id := r.Log.Account()
	latest := n.latestLog(ctx, id)
	err = n.begin(ctx, id, func(now account.Account) (account.Account, error) {
		if now.ID() == id {
			latest = newer(now.Log(), latest)
		}
		a, err := r.Restore(account.Restored{Act: n.act(), Box: n.people.box, Latest: latest, Alone: q.Alone, Name: q.Name})
		if err != nil || now.ID() != id {
			return a, err
		}
		return a.Merge(now.Profile()) // what was written here since
	})
	a, _ := n.Account()
	return a, err
}

// newer is the log that wins, of two that may be nil.
func newer(a, b *identity.DeviceLog) *identity.DeviceLog {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	winner, _ := identity.Judge(a, b)
	return winner
}

func (n *Node) openRecovery(file []byte, passphrase string) (account.Recovery, error) {
	n.people.sealing.Lock()
	defer n.people.sealing.Unlock()
	return account.Import(file, passphrase)
}

// ExportAccount writes the account as it is now into a new recovery file, sealed
// with fresh, or with passphrase if that is empty. It takes the root key from an
// earlier file, which passphrase opens; that one stays good. Errors: those of
// account.Import and Export, and Forbidden for the file of another account.
func (n *Node) ExportAccount(file []byte, passphrase, fresh string) ([]byte, error) {
	if fresh == "" {
		fresh = passphrase
	}
	a, _ := n.Account()
	if a.IsZero() {
		return nil, account.ErrNone
	}
	r, err := n.openRecovery(file, passphrase)
	if err != nil {
		return nil, err
	}
	if r, err = a.Recovery(r.Root, n.act().At); err != nil {
		return nil, err
	}
	n.people.sealing.Lock()
	defer n.people.sealing.Unlock()
	return r.Export(fresh)
}

// EditAccount changes the account's profile, which goes to its other devices.
// Errors are those of account.Account's Edit.
func (n *Node) EditAccount(ctx context.Context, changes ...account.Change) (account.Account, error) {
	return n.people.keeper.Update(ctx, func(a account.Account) (account.Account, error) {
		next, _, err := a.Edit(changes...)
		return next, err
	})
}

// RevokeDevice throws another device out of the account: the profile gets a new
// key and the account a new presence. Unknown for what is no device of it,
// BadRequest for this node, which leaves by LogoutAccount.
func (n *Node) RevokeDevice(ctx context.Context, id peer.ID) (account.Account, error) {
	if id == n.ID() {
		return account.Account{}, wire.Errorf(wire.BadRequest, "this is the device that you use").
			WithNext("have it leave: panpipe account logout; or revoke it from another device")
	}
	return n.people.keeper.Update(ctx, func(a account.Account) (account.Account, error) {
		switch {
		case a.IsZero():
			return a, account.ErrNone
		case !a.Log().Valid(id):
			return a, wire.Errorf(wire.Unknown, "%s is no device of %s", id, a.ID()).WithNext("see panpipe account devices")
		}
		return a.Revoke(n.act(), id)
	})
}

// LogoutAccount has this device leave its account, and erases what it knows of
// it, the history too. Devices that are connected hear of it at once; where none
// is, the account still lists this device until another one revokes it.
func (n *Node) LogoutAccount(ctx context.Context) error {
	n.people.life.Lock()
	defer n.people.life.Unlock()
	a, _ := n.Account()
	if a.IsZero() {
		return account.ErrNone
	}
	if !a.Revoked() && len(a.Log().Devices()) > 1 {
		_, err := n.people.keeper.Update(ctx, func(a account.Account) (account.Account, error) { return a.Revoke(n.act(), n.ID()) })
		if err != nil {
			return err
		}
	}
	if err := errors.Join(n.endPerson(), n.eraseJournal(), n.eraseContacts(ctx)); err != nil {
		return errors.Join(err, n.beginPerson(ctx))
	}
	_, err := n.people.keeper.Update(ctx, func(account.Account) (account.Account, error) { return account.Account{}, nil })
	return err
}

// mayBegin refuses, as Taken, to become a device of the account id where the node
// is one of another, or of this one already.
func (n *Node) mayBegin(id identity.Principal) error {
	a, _ := n.Account()
	if a.IsZero() || a.ID() == id && a.Revoked() {
		return nil // what it has of the account goes on
	}
	err := wire.Errorf(wire.Taken, "this node is a device of %s already", a.ID())
	if a.ID() == id {
		return err.WithNext("see panpipe account show")
	}
	return err.WithNext("leave that with panpipe account logout, or run another node: --profile NAME")
}

// begin makes the node a device of the account id, as next says, and starts what
// that needs. What the node had of it before goes on in it.
func (n *Node) begin(ctx context.Context, id identity.Principal, next func(account.Account) (account.Account, error)) error {
	n.people.life.Lock()
	defer n.people.life.Unlock()
	if err := n.mayBegin(id); err != nil {
		return err
	}
	if err := n.endPerson(); err != nil {
		return err
	}
	before, _ := n.Account()
	if before.IsZero() {
		if err := errors.Join(n.setJournalAside(), n.eraseContacts(ctx)); err != nil {
			return err
		}
	}
	if _, err := n.people.keeper.Update(ctx, next); err != nil {
		if before.IsZero() {
			return err
		}
		return errors.Join(err, n.beginPerson(ctx))
	}
	return n.beginPerson(ctx)
}

// logTime is how long an import looks for the account's device log.
const logTime = 10 * time.Second

// latestLog looks for the newest device log that the account's devices show at its
// contact pipe, nil where none does.
func (n *Node) latestLog(ctx context.Context, id identity.Principal) (latest *identity.DeviceLog) {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	found, err := n.pipes.Resolve(ctx, pipe.ContactPipe(id).ID(), pipe.ResolveOptions{Fresh: true})
	if err != nil {
		return nil
	}
	for _, f := range found.Bindings {
		if log, err := identity.ParseLog(f.Binding.Proof); err == nil && log.Account() == id {
			latest = newer(log, latest)
		}
	}
	return latest
}
