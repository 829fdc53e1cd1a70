package control

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/linking"
	"github.com/panpipe-net/panpipe/session/roster"
)

// fakeAccounts is a device of an account with another device, "phone", and with
// no network.
type fakeAccounts struct {
	t      testing.TB
	key    crypto.PrivKey
	keeper *account.Keeper
	linked chan error // what the next linking comes to
}

func fakeKey(t testing.TB, n byte) crypto.PrivKey {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fakeDevice(t testing.TB, n byte) identity.Device {
	t.Helper()
	id, err := peer.IDFromPrivateKey(fakeKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	box, err := account.NewBox()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Device{ID: id, Box: box.Public()}
}

// The seeds of root keys.
const (
	fakeRoot  = 99 // of the account that is there
	draftRoot = 98 // of every draft
	phoneSeed = 2
)

// fakeDraftID is the account of every draft.
func fakeDraftID(t testing.TB) string {
	id, err := identity.AccountPrincipal(fakeKey(t, draftRoot).GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

type memoryStore struct{ raw []byte }

func (m *memoryStore) LoadAccount(context.Context) ([]byte, error) { return m.raw, nil }
func (m *memoryStore) SaveAccount(_ context.Context, raw []byte) error {
	m.raw = raw
	return nil
}

func newFakeAccounts(t testing.TB, key crypto.PrivKey) *fakeAccounts {
	t.Helper()
	me, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := account.Load(t.Context(), new(memoryStore), me)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAccounts{t: t, key: key, keeper: keeper, linked: make(chan error, 1)}
	f.update(func(account.Account) (account.Account, error) {
		a, err := f.made(fakeRoot, account.SetName("Alice"))
		if err != nil {
			return a, err
		}
		return a.AddDevice(f.act(), fakeDevice(t, phoneSeed), "phone")
	})
	return f
}

func (f *fakeAccounts) act() account.Act {
	return account.Act{Key: f.key, At: time.Now(), Random: rand.Reader}
}

func (f *fakeAccounts) made(root byte, changes ...account.Change) (account.Account, error) {
	box, err := account.NewBox()
	if err != nil {
		return account.Account{}, err
	}
	return account.New(fakeKey(f.t, root), f.act(), box, changes...)
}

func (f *fakeAccounts) update(act func(account.Account) (account.Account, error)) (account.Account, error) {
	return f.keeper.Update(context.Background(), act)
}

func (f *fakeAccounts) Account() (account.Account, <-chan struct{}) { return f.keeper.Account() }

func (f *fakeAccounts) Devices() []roster.Device {
	return []roster.Device{{ID: fakeDevice(f.t, phoneSeed).ID, Presence: roster.Announced}}
}

func (f *fakeAccounts) DraftAccount(passphrase string, changes ...account.Change) (account.Draft, error) {
	a, err := f.made(draftRoot, changes...)
	return account.Draft{Account: a, Recovery: []byte("recovery " + passphrase)}, err
}

func (f *fakeAccounts) KeepAccount(_ context.Context, a account.Account) error {
	_, err := f.update(func(account.Account) (account.Account, error) {
		return a.AddDevice(f.act(), fakeDevice(f.t, phoneSeed), "phone")
	})
	return err
}

func (f *fakeAccounts) ImportAccount(_ context.Context, q account.ImportRequest) (account.Account, error) {
	a, _ := f.Account()
	return a, nil
}

func (f *fakeAccounts) ExportAccount(file []byte, passphrase, fresh string) ([]byte, error) {
	return append(file, passphrase+fresh...), nil
}

func (f *fakeAccounts) EditAccount(_ context.Context, changes ...account.Change) (account.Account, error) {
	return f.update(func(a account.Account) (account.Account, error) {
		next, _, err := a.Edit(changes...)
		return next, err
	})
}

func (f *fakeAccounts) RevokeDevice(_ context.Context, id peer.ID) (account.Account, error) {
	if a, _ := f.Account(); !a.Log().Valid(id) {
		return a, wire.Errorf(wire.Unknown, "no device")
	}
	return f.update(func(a account.Account) (account.Account, error) { return a.Revoke(f.act(), id) })
}

func (f *fakeAccounts) LogoutAccount(context.Context) error {
	_, err := f.update(func(account.Account) (account.Account, error) { return account.Account{}, nil })
	return err
}

func (f *fakeAccounts) LinkDevice(ctx context.Context, offered func(linking.Offer), failed func(linking.Attempt)) (identity.Device, error) {
	if a, _ := f.Account(); a.IsZero() {
		return identity.Device{}, account.ErrNone
	}
	offered(linking.Offer{Code: "k7qm-2fxd-anchor-velvet", Ticket: "link:x", Expires: time.Now().Add(time.Minute)})
	failed(linking.Attempt{Device: fakeDevice(f.t, 3).ID, Err: wire.Errorf(wire.Forbidden, "wrong words")})
	select {
	case err := <-f.linked:
		return fakeDevice(f.t, phoneSeed), err
	case <-ctx.Done():
		return identity.Device{}, ctx.Err()
	}
}

func (f *fakeAccounts) JoinAccount(context.Context, string, string) (account.Account, error) {
	a, _ := f.Account()
	return a, nil
}
