package pairing

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

func testKey(t testing.TB, n byte) crypto.PrivKey {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testPeer(t testing.TB, n byte) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(testKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testBox(t testing.TB) account.Box {
	t.Helper()
	box, err := account.NewBox()
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// memory is an account.Store.
type memory struct {
	mu  sync.Mutex
	raw []byte
}

func (m *memory) LoadAccount(context.Context) ([]byte, error) { return m.raw, nil }
func (m *memory) SaveAccount(_ context.Context, raw []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.raw = raw
	return nil
}

// linking is an old device that waits under a code.
type linking struct {
	*Host
	keeper *account.Keeper
	code   Code
}

const (
	hostNo  = 1
	guestNo = 2
)

func newLinking(t testing.TB) linking {
	t.Helper()
	act := func() account.Act { return account.Act{Key: testKey(t, hostNo), At: time.Now(), Random: rand.Reader} }
	keeper, err := account.Load(context.Background(), &memory{}, testPeer(t, hostNo))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Update(context.Background(), func(account.Account) (account.Account, error) {
		return account.New(testKey(t, 99), act(), testBox(t), account.SetName("Alice"))
	}); err != nil {
		t.Fatal(err)
	}
	code, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := NewHost(HostConfig{Offer: code.Offer(), Me: testPeer(t, hostNo), Random: rand.Reader, Add: AddTo(keeper, act)})
	return linking{Host: h, keeper: keeper, code: code}
}

func newGuest(t testing.TB, n byte, offer Offer) Guest {
	t.Helper()
	return Guest{Offer: offer, Me: testPeer(t, n), Box: testBox(t), Name: "phone", Random: rand.Reader}
}

// try has a guest join over a pipe, and returns what either end says.
func (l linking) try(t testing.TB, g Guest) (a account.Account, guestErr, hostErr error) {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), far, g.Me) }()
	a, guestErr = g.Join(context.Background(), near, testPeer(t, hostNo))
	return a, guestErr, <-served
}

// wrong is a code with the same mailbox name and other words.
func (c Code) wrong() Code {
	c.words[0] = (c.words[0] + 1) % wordCount
	return c
}

func wantCode(t testing.TB, what string, err error, want wire.Code) {
	t.Helper()
	if got := wire.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, err, got, want)
	}
}

func (l linking) devices() []identity.Device {
	a, _ := l.keeper.Account()
	return a.Log().Devices()
}
