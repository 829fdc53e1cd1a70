package pipe

import (
	"bytes"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Revocation voids one capability of a pipe. The owner signs it, anybody may
// carry it.
type Revocation struct {
	Pipe          ID
	Advertisement Advertisement
	Issuer        identity.Principal // the owner
	Nonce         identity.Nonce     // of the capability
	Expiry        time.Time          // of the capability, Unix milliseconds; there is nothing to void after it
	Issued        time.Time          // Unix milliseconds
	Proof         []byte             // device log of the account that owns the pipe; at most identity.MaxProof

	speaker // set when it has been verified
}

// Bytes returns the canonical bytes that are signed.
func (r Revocation) Bytes() []byte {
	var e wire.Builder
	e.Bytes(1, r.Pipe.Bytes()).Bytes(2, r.Advertisement.Bytes()).Bytes(3, r.Issuer.Bytes()).Bytes(4, r.Nonce[:])
	e.Uint(5, millis(r.Expiry)).Uint(6, millis(r.Issued)).Bytes(7, r.Proof)
	return e.Build()
}

// Sign returns the envelope, signed by the owner's key or that of a device of
// an account. Parts of a millisecond are cut off. Errors are those of
// OpenRevocation.
func (r Revocation) Sign(priv crypto.PrivKey) ([]byte, error) {
	envelope, _, err := r.sign(priv, identity.ParseLog)
	return envelope, err
}

// sign also returns the revocation as readers have it.
func (r Revocation) sign(priv crypto.PrivKey, read identity.LogReader) ([]byte, Revocation, error) {
	envelope, err := identity.Sign(priv, identity.DomainRevocation, r.Bytes())
	if err != nil {
		return nil, Revocation{}, err
	}
	opened, err := openRevocation(envelope, read)
	if err != nil {
		return nil, Revocation{}, err
	}
	return envelope, opened, nil
}

// OpenRevocation reads an envelope and checks everything but the clock. Of an
// account it goes by the device log that the record shows. Errors are
// BadRequest for what is malformed or forged, TooLarge above a cap, Forbidden
// if another than the owner revokes, and Unsupported for later versions.
func OpenRevocation(envelope []byte) (Revocation, error) {
	return openRevocation(envelope, identity.ParseLog)
}

func openRevocation(envelope []byte, read identity.LogReader) (Revocation, error) {
	body, signer, err := identity.Open(identity.DomainRevocation, envelope, MaxRevocation)
	if err != nil {
		return Revocation{}, err
	}
	r, err := ParseRevocation(body)
	if err != nil {
		return Revocation{}, err
	}
	if err := r.authorise(signer, read); err != nil {
		return Revocation{}, wire.Errorf(wire.CodeOf(err), "revocation: %w", err)
	}
	return r, nil
}

// authorise checks that the owner has signed, and keeps which device of an
// account did.
func (r *Revocation) authorise(signer crypto.PubKey, read identity.LogReader) (err error) {
	ofAccount := r.Issuer.Kind() == identity.KindAccount
	switch {
	case r.Issuer != r.Advertisement.Owner:
		return wire.Errorf(wire.Forbidden, "%s is not the owner of %s", r.Issuer, r.Pipe)
	case ofAccount != (len(r.Proof) > 0):
		return wire.Errorf(wire.BadRequest, "a proof goes with an account that revokes, and with nobody else")
	case ofAccount:
		r.speaker, err = openSpeaker(r.Proof, r.Issuer, signer, read)
		return err
	case !r.Issuer.Matches(signer):
		return wire.Errorf(wire.BadRequest, "signed by another than its issuer %s", r.Issuer)
	}
	return nil
}

// ParseRevocation reads canonical bytes and checks their format alone: no
// signature and no right. The result does not alias body.
func ParseRevocation(body []byte) (Revocation, error) {
	r, err := parseRevocation(bytes.Clone(body))
	if err != nil {
		return Revocation{}, wire.Errorf(wire.CodeOf(err), "revocation: %w", err)
	}
	return r, nil
}

func parseRevocation(body []byte) (Revocation, error) {
	if len(body) > MaxRevocation {
		return Revocation{}, wire.Errorf(wire.TooLarge, "%d bytes, at most %d", len(body), MaxRevocation)
	}
	f, err := wire.ParseFields(body)
	if err != nil {
		return Revocation{}, err
	}
	r := Revocation{
		Pipe:          idField(f, 1),
		Advertisement: advertisementField(f, 2),
		Issuer:        principalField(f, 3),
	}
	nonce := f.Bytes(4, NonceSize)
	r.Expiry, r.Issued = timeField(f, 5), timeField(f, 6)
	r.Proof = f.Bytes(7, identity.MaxProof)
	if err := f.Done(); err != nil {
		return Revocation{}, err
	}
	if len(nonce) == NonceSize {
		r.Nonce = identity.Nonce(nonce)
	}
	if r.Nonce == (identity.Nonce{}) {
		return Revocation{}, wire.Errorf(wire.BadRequest, "a nonce of %d bytes, not all zero, is needed", NonceSize)
	}
	if r.Advertisement.ID() != r.Pipe {
		return Revocation{}, wire.Errorf(wire.BadRequest, "the advertisement is not that of %s", r.Pipe)
	}
	return r, canonical(body, r.Bytes())
}

// InTime says whether the revocation still has anything to void: Expired from
// the capability's expiry + Skew on, BadRequest if issued more than Skew ahead
// of now.
func (r Revocation) InTime(now time.Time) error {
	if ahead := r.Issued.Sub(now); ahead > Skew {
		return wire.Errorf(wire.BadRequest, "revocation: issued %s ahead of this node's clock, at most %s", ahead.Round(time.Second), Skew).
			WithNext("check the clocks of both machines")
	}
	if !now.Before(r.Expiry.Add(Skew)) {
		return wire.Errorf(wire.Expired, "revocation: its capability expired at %s", r.Expiry.Format(time.RFC3339))
	}
	return nil
}

// Voids reports whether the binding, from OpenBinding, rests on the revoked
// capability.
func (r Revocation) Voids(b Binding) bool {
	c, ok := b.Grant()
	return ok && r.Pipe == b.Pipe && r.Nonce == c.Nonce
}
