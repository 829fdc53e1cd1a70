package account

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Domains of what is hashed and sealed here.
const (
	domainProfile    = "panpipe/profile/1"
	domainKey        = "panpipe/profile-key/1"
	domainCommitment = "panpipe/profile-commitment/1"
)

// MaxSealed caps a sealed profile in bytes.
const MaxSealed = MaxProfile + 256

// Field numbers of a sealed profile.
const (
	sealedAccount    = 1
	sealedGeneration = 2
	sealedRevision   = 3
	sealedNonce      = 4
	sealedText       = 5
)

// ProfileKey is the key that an account's profile is sealed with, in one
// generation. The devices valid in that generation have it.
type ProfileKey struct {
	Generation uint64
	Secret     [chacha20poly1305.KeySize]byte
}

// NewProfileKey draws the key of a generation from random.
func NewProfileKey(generation uint64, random io.Reader) (ProfileKey, error) {
	k := ProfileKey{Generation: generation}
	if _, err := io.ReadFull(random, k.Secret[:]); err != nil {
		return ProfileKey{}, wire.Errorf(wire.Internal, "profile key: no random bytes: %w", err)
	}
	return k, nil
}

// Commitment is the hash by which the device log's rotate entry says which key
// is that of its generation.
func (k ProfileKey) Commitment(account identity.Principal) identity.Hash {
	return sha256.Sum256(append(bound(domainCommitment, account, k.Generation, nil), k.Secret[:]...))
}

// Seal returns the profile sealed for all devices that have the key. random
// gives 24 bytes.
func (k ProfileKey) Seal(account identity.Principal, p Profile, random io.Reader) ([]byte, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, wire.Errorf(wire.Internal, "profile: no random bytes: %w", err)
	}
	aead, err := chacha20poly1305.NewX(k.Secret[:])
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "profile: %w", err)
	}
	plain := p.Bytes()
	if len(plain) > MaxProfile {
		return nil, wire.Errorf(wire.TooLarge, "profile: %d bytes, at most %d", len(plain), MaxProfile)
	}
	revision := p.Revision()
	text := aead.Seal(nil, nonce, plain, sealedHeader(account, k.Generation, revision))
	var b wire.Builder
	return b.Bytes(sealedAccount, account.Bytes()).
		Uint(sealedGeneration, k.Generation).
		Uint(sealedRevision, revision).
		Bytes(sealedNonce, nonce).
		Bytes(sealedText, text).
		Build(), nil
}

// Open opens a sealed profile of account. floor is the highest revision that
// was seen at the place that it comes from (0: none), where it can only rise.
// Errors: Forbidden for another account's, Expired for one of an earlier
// generation or below floor, NotReady for a later generation, whose key this
// device has yet to get, BadRequest for a damaged or forged one.
func (k ProfileKey) Open(account identity.Principal, sealed []byte, floor uint64) (Profile, error) {
	s, err := parseSealed(sealed)
	if err != nil {
		return Profile{}, err
	}
	if err := s.fits(account, k.Generation, floor); err != nil {
		return Profile{}, err
	}
	aead, err := chacha20poly1305.NewX(k.Secret[:])
	if err != nil {
		return Profile{}, wire.Errorf(wire.Internal, "profile: %w", err)
	}
	plain, err := aead.Open(nil, s.nonce, s.text, sealedHeader(account, s.generation, s.revision))
	if err != nil {
		return Profile{}, wire.Errorf(wire.BadRequest, "sealed profile is damaged, or not sealed by a device of the account")
	}
	p, err := ParseProfile(plain)
	if err != nil {
		return Profile{}, err
	}
	if p.Revision() != s.revision {
		return Profile{}, wire.Errorf(wire.BadRequest, "sealed profile says revision %d and has %d", s.revision, p.Revision())
	}
	return p, nil
}

type sealedProfile struct {
	account              identity.Principal
	generation, revision uint64
	nonce, text          []byte
}

func parseSealed(b []byte) (sealedProfile, error) {
	if len(b) > MaxSealed {
		return sealedProfile{}, wire.Errorf(wire.TooLarge, "sealed profile: %d bytes, at most %d", len(b), MaxSealed)
	}
	f, err := wire.ParseFields(b)
	if err != nil {
		return sealedProfile{}, wire.Errorf(wire.CodeOf(err), "sealed profile: %w", err)
	}
	s := sealedProfile{
		account:    accountField(f, sealedAccount),
		generation: f.Uint(sealedGeneration, maxCounter),
		revision:   f.Uint(sealedRevision, math.MaxUint64),
		nonce:      f.Bytes(sealedNonce, chacha20poly1305.NonceSizeX),
		text:       f.Bytes(sealedText, MaxProfile+chacha20poly1305.Overhead),
	}
	if err := f.Done(); err != nil {
		return sealedProfile{}, wire.Errorf(wire.CodeOf(err), "sealed profile: %w", err)
	}
	if len(s.nonce) != chacha20poly1305.NonceSizeX {
		return sealedProfile{}, wire.Errorf(wire.BadRequest, "sealed profile: nonce of %d bytes", len(s.nonce))
	}
	return s, nil
}

func (s sealedProfile) fits(account identity.Principal, generation, floor uint64) error {
	switch {
	case s.account != account:
		return wire.Errorf(wire.Forbidden, "sealed profile is that of %s, not of %s", s.account, account)
	case s.generation < generation:
		return wire.Errorf(wire.Expired, "sealed profile is of generation %d, which a revocation ended; now it is %d", s.generation, generation)
	case s.generation > generation:
		return wire.Errorf(wire.NotReady, "sealed profile is of generation %d, and this device has the key of %d", s.generation, generation)
	case s.revision < floor:
		return wire.Errorf(wire.Expired, "sealed profile was rolled back: it is revision %d, and %d was here", s.revision, floor)
	}
	return nil
}

// sealedHeader is what the seal covers besides the profile.
func sealedHeader(account identity.Principal, generation, revision uint64) []byte {
	return binary.AppendUvarint(bound(domainProfile, account, generation, nil), revision)
}

// bound says what a hash or seal is made for: each part with its length.
func bound(domain string, account identity.Principal, generation uint64, device []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(domain)))
	b = append(b, domain...)
	b = binary.AppendUvarint(b, uint64(len(account.Bytes())))
	b = append(b, account.Bytes()...)
	b = binary.AppendUvarint(b, generation)
	b = binary.AppendUvarint(b, uint64(len(device)))
	return append(b, device...)
}

// accountField reads an account that has to be there.
func accountField(f *wire.Fields, num uint64) identity.Principal {
	p, err := identity.PrincipalFromBytes(f.Bytes(num, identity.MaxPrincipal))
	if err == nil && p.Kind() != identity.KindAccount {
		err = wire.Errorf(wire.BadRequest, "field %d: %s is not an account", num, p)
	}
	if err != nil {
		f.Fail(err)
	}
	return p
}
