package account

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxRecord caps an account as its device keeps it, in bytes.
const MaxRecord = 2*identity.MaxDeviceLog + MaxWrapped + MaxProfile + 512

// Field numbers of a record.
const (
	recordMe         = 1
	recordBox        = 2
	recordLog        = 3
	recordGeneration = 4
	recordKey        = 5
	recordWrapped    = 6
	recordProfile    = 7
	recordLost       = 8
)

// Record returns the account as its device keeps it. It holds secrets, among
// them the box key, and is as private as the node's own key.
func (a Account) Record() ([]byte, error) {
	box, err := a.box.Bytes()
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "account: box key: %w", err)
	}
	var lost []byte
	if a.lost != nil {
		lost = a.lost.Bytes()
	}
	var b wire.Builder
	return b.Bytes(recordMe, identity.PeerPrincipal(a.me).Bytes()).
		Bytes(recordBox, box).
		Bytes(recordLog, a.log.Bytes()).
		Uint(recordGeneration, a.key.Generation).
		Bytes(recordKey, a.key.Secret[:]).
		Bytes(recordWrapped, a.wrapped).
		Bytes(recordProfile, a.profile.Bytes()).
		Bytes(recordLost, lost).
		Build(), nil
}

// ParseRecord reads what Record made. Errors are BadRequest for a damaged one,
// Unsupported for one of a newer version.
func ParseRecord(raw []byte) (Account, error) {
	a, err := parseRecord(raw)
	if err != nil {
		return Account{}, wire.Errorf(wire.CodeOf(err), "stored account: %w", err)
	}
	return a, nil
}

func parseRecord(raw []byte) (Account, error) {
	f, err := wire.ParseFields(raw)
	if err != nil {
		return Account{}, err
	}
	me, errMe := peerOf(f.Bytes(recordMe, identity.MaxPrincipal))
	box, errBox := ParseBox(f.Bytes(recordBox, 32))
	log, errLog := identity.ParseLog(f.Bytes(recordLog, identity.MaxDeviceLog))
	key := ProfileKey{Generation: f.Uint(recordGeneration, maxGeneration)}
	secret := f.Bytes(recordKey, len(key.Secret))
	wrapped := f.Bytes(recordWrapped, MaxWrapped)
	profile, errProfile := ParseProfile(f.Bytes(recordProfile, MaxProfile))
	lost, errLost := parseLost(f.Bytes(recordLost, identity.MaxDeviceLog))
	for _, err := range []error{f.Done(), errMe, errBox, errLog, errProfile, errLost} {
		if err != nil {
			return Account{}, err
		}
	}
	if len(secret) != len(key.Secret) || profile.IsZero() {
		return Account{}, wire.Errorf(wire.BadRequest, "profile key or profile is missing")
	}
	copy(key.Secret[:], secret)
	return Account{me: me, box: box, log: log, key: key, wrapped: wrapped, profile: profile, lost: lost}, nil
}

func parseLost(b []byte) (*identity.DeviceLog, error) {
	if b == nil {
		return nil, nil
	}
	return identity.ParseLog(b)
}

// Store keeps one record, and has it on disk when Save returns.
type Store interface {
	LoadAccount(context.Context) ([]byte, error) // nil where there is none
	SaveAccount(context.Context, []byte) error   // empty: forget it
}

// Keeper owns the account of a node: what it shows is stored. It is safe for
// concurrent use.
type Keeper struct {
	store Store

	updates sync.Mutex // held over each change, so that they follow one another

	mu      sync.Mutex
	account Account
	changed chan struct{} // closed at the next change
}

// Load returns the keeper of what the store has. The error is the store's, or
// that of ParseRecord, or Forbidden for the account of another node.
func Load(ctx context.Context, store Store, me peer.ID) (*Keeper, error) {
	k := &Keeper{store: store, changed: make(chan struct{})}
	raw, err := store.LoadAccount(ctx)
	if err != nil || len(raw) == 0 {
		return k, err
	}
	if k.account, err = ParseRecord(raw); err != nil {
		return nil, err
	}
	if k.account.me != me {
		return nil, wire.Errorf(wire.Forbidden, "the stored account is on device %s, and this node is %s", k.account.me, me).
			WithNext("link this node as a device of its own")
	}
	return k, nil
}

// Account returns the account as it is, zero where there is none, and a channel
// that is closed when there is another.
func (k *Keeper) Account() (Account, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.account, k.changed
}

// Update changes the account by act, one change after the other. It has been
// stored when Update returns; on any error it stays as it was.
func (k *Keeper) Update(ctx context.Context, act func(Account) (Account, error)) (Account, error) {
	k.updates.Lock()
	defer k.updates.Unlock()
	before, _ := k.Account()
	next, err := act(before)
	if err != nil {
		return before, err
	}
	var raw []byte
	if !next.IsZero() {
		if raw, err = next.Record(); err != nil {
			return before, err
		}
	}
	if err := k.store.SaveAccount(ctx, raw); err != nil {
		return before, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.account = next
	close(k.changed)
	k.changed = make(chan struct{})
	return next, nil
}
