package account

import (
	"crypto/ecdh"
	"crypto/hpke"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Caps of a key that is wrapped for the devices of an account.
const (
	MaxWrapped    = identity.MaxDevices*(wrappedSize+identity.MaxPrincipal+16) + 128 // bytes
	wrappedSize   = 32 + 32 + 16                                                     // encapsulated key, profile key, tag
	maxGeneration = maxCounter
)

// Field numbers of a wrapped key, and of one device's part.
const (
	wrappedAccount    = 1
	wrappedGeneration = 2
	wrappedDevices    = 3

	partDevice = 1
	partSealed = 2
)

// Box is the private half of a device's box key, to which the profile key is
// wrapped. It never leaves the device.
type Box struct{ key hpke.PrivateKey }

// NewBox makes a key.
func NewBox() (Box, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return Box{}, wire.Errorf(wire.Internal, "box key: %w", err)
	}
	return Box{key: key}, nil
}

// ParseBox reads the 32 bytes that Bytes returned.
func ParseBox(b []byte) (Box, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(b)
	if err != nil {
		return Box{}, wire.Errorf(wire.BadRequest, "box key: %w", err)
	}
	return Box{key: key}, nil
}

// Bytes returns the private key.
func (b Box) Bytes() ([]byte, error) { return b.key.Bytes() }

// Public returns the key that the device log names.
func (b Box) Public() identity.BoxKey { return identity.BoxKey(b.key.PublicKey().Bytes()) }

// Wrap returns the key for these devices of account, each of which opens its
// own part. A device whose box key cannot be used gets none: it must not keep
// the others from a new generation.
func (k ProfileKey) Wrap(account identity.Principal, devices []identity.Device) []byte {
	devices = slices.Clone(devices)
	slices.SortFunc(devices, func(a, b identity.Device) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	var parts [][]byte
	for _, d := range devices {
		if part, err := k.part(account, d); err == nil {
			parts = append(parts, part)
		}
	}
	var b wire.Builder
	return b.Bytes(wrappedAccount, account.Bytes()).Uint(wrappedGeneration, k.Generation).List(wrappedDevices, parts).Build()
}

func (k ProfileKey) part(account identity.Principal, d identity.Device) ([]byte, error) {
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(d.Box[:])
	if err != nil {
		return nil, err
	}
	id := identity.PeerPrincipal(d.ID).Bytes()
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), bound(domainKey, account, k.Generation, id), k.Secret[:])
	if err != nil {
		return nil, err
	}
	var b wire.Builder
	return b.Bytes(partDevice, id).Bytes(partSealed, sealed).Build(), nil
}

// Unwrap opens the part of this device and returns the key that the log commits
// to. Whoever knows a box key can wrap something for it, so nothing but the log
// makes a key the account's. Errors: Expired for a key of an earlier
// generation, NotReady for one that the log has yet to name, Forbidden for
// another account's or one that is not wrapped for this device, BadRequest for
// a damaged or forged one.
func (b Box) Unwrap(log *identity.DeviceLog, me peer.ID, wrapped []byte) (ProfileKey, error) {
	w, err := parseWrapped(wrapped)
	if err != nil {
		return ProfileKey{}, wire.Errorf(wire.CodeOf(err), "wrapped profile key: %w", err)
	}
	generation, commitment := log.Generation()
	switch {
	case w.account != log.Account():
		return ProfileKey{}, wire.Errorf(wire.Forbidden, "wrapped profile key is that of %s, not of %s", w.account, log.Account())
	case w.generation < generation:
		return ProfileKey{}, wire.Errorf(wire.Expired, "wrapped profile key is of generation %d, which a revocation ended; now it is %d", w.generation, generation)
	case w.generation > generation:
		return ProfileKey{}, wire.Errorf(wire.NotReady, "wrapped profile key is of generation %d, and the device log knows %d", w.generation, generation)
	}
	k, err := b.openPart(w, me)
	if err != nil {
		return ProfileKey{}, err
	}
	if k.Commitment(w.account) != commitment {
		return ProfileKey{}, wire.Errorf(wire.BadRequest, "wrapped profile key is not the one that the device log commits to")
	}
	return k, nil
}

func (b Box) openPart(w wrappedKey, me peer.ID) (ProfileKey, error) {
	if w.parts[me] == nil {
		return ProfileKey{}, wire.Errorf(wire.Forbidden, "the profile key was not wrapped for this device")
	}
	info := bound(domainKey, w.account, w.generation, identity.PeerPrincipal(me).Bytes())
	secret, err := hpke.Open(b.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, w.parts[me])
	k := ProfileKey{Generation: w.generation}
	if err != nil || len(secret) != len(k.Secret) {
		return ProfileKey{}, wire.Errorf(wire.BadRequest, "wrapped profile key is damaged, or wrapped to another box key")
	}
	copy(k.Secret[:], secret)
	return k, nil
}

type wrappedKey struct {
	account    identity.Principal
	generation uint64
	parts      map[peer.ID][]byte
}

func parseWrapped(b []byte) (wrappedKey, error) {
	if len(b) > MaxWrapped {
		return wrappedKey{}, wire.Errorf(wire.TooLarge, "%d bytes, at most %d", len(b), MaxWrapped)
	}
	f, err := wire.ParseFields(b)
	if err != nil {
		return wrappedKey{}, err
	}
	w := wrappedKey{
		account:    accountField(f, wrappedAccount),
		generation: f.Uint(wrappedGeneration, maxGeneration),
		parts:      make(map[peer.ID][]byte),
	}
	for _, part := range f.List(wrappedDevices, identity.MaxDevices, wrappedSize+identity.MaxPrincipal+16) {
		g, err := wire.ParseFields(part)
		if err != nil {
			return wrappedKey{}, err
		}
		id, err := peerOf(g.Bytes(partDevice, identity.MaxPrincipal))
		if err != nil {
			return wrappedKey{}, err
		}
		w.parts[id] = g.Bytes(partSealed, wrappedSize)
		if err := g.Done(); err != nil {
			return wrappedKey{}, err
		}
	}
	return w, f.Done()
}
