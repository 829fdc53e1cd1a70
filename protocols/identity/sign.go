package identity

import (
	"bytes"
	"encoding/binary"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Domain keeps a signature made for one kind of record from being shown as
// another. Every kind has a domain of its own, with its version.
type Domain string

// The signing domains.
const (
	DomainCapability Domain = "panpipe/capability/1"
	DomainBinding    Domain = "panpipe/binding/1"
	DomainRevocation Domain = "panpipe/revocation/1"
	DomainSecure     Domain = "panpipe/secure/1"
	DomainDeviceLog  Domain = "panpipe/device-log/1"
)

// Field numbers of an envelope.
const (
	fieldBody      = 1
	fieldKey       = 2
	fieldSignature = 3
)

// Sign puts body into an envelope signed by priv under domain d. Errors are
// BadRequest for an empty domain, body or key, and Internal when the key
// cannot sign.
func Sign(priv crypto.PrivKey, d Domain, body []byte) ([]byte, error) {
	if priv == nil || d == "" || len(body) == 0 {
		return nil, wire.Errorf(wire.BadRequest, "sign: key, domain and body are all needed")
	}
	key, err := crypto.MarshalPublicKey(priv.GetPublic())
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "sign under %s: public key: %w", d, err)
	}
	sig, err := priv.Sign(signedBytes(d, body))
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "sign under %s: %w", d, err)
	}
	return envelopeBytes(body, key, sig), nil
}

// Open verifies an envelope of domain d and returns its body, which aliases
// envelope, and the key that signed it; whether that key had the right to is
// the caller's question. More than limit bytes is TooLarge; a malformed or
// forged envelope, or one of another domain, is BadRequest.
func Open(d Domain, envelope []byte, limit int) (body []byte, signer crypto.PubKey, err error) {
	if len(envelope) > limit {
		return nil, nil, wire.Errorf(wire.TooLarge, "%s: %d bytes, at most %d", d, len(envelope), limit)
	}
	f, err := wire.ParseFields(envelope)
	if err != nil {
		return nil, nil, wire.Errorf(wire.BadRequest, "%s: %w", d, err)
	}
	body = f.Bytes(fieldBody, limit)
	key := f.Bytes(fieldKey, limit)
	sig := f.Bytes(fieldSignature, limit)
	// Nothing but the three fields may be there, not even uncritical ones:
	// they would not be covered by the signature.
	if body == nil || key == nil || sig == nil || !bytes.Equal(envelopeBytes(body, key, sig), envelope) {
		return nil, nil, wire.Errorf(wire.BadRequest, "%s: not an envelope of body, key and signature", d)
	}
	signer, err = unmarshalKey(key)
	if err != nil {
		return nil, nil, wire.Errorf(wire.BadRequest, "%s: key of the signer: %w", d, err)
	}
	ok, err := signer.Verify(signedBytes(d, body), sig)
	if err != nil {
		return nil, nil, wire.Errorf(wire.BadRequest, "%s: signature: %w", d, err)
	}
	if !ok {
		return nil, nil, wire.Errorf(wire.BadRequest, "%s: signature does not fit", d)
	}
	return body, signer, nil
}

// unmarshalKey reads a libp2p public key in the one encoding that libp2p
// itself writes.
func unmarshalKey(b []byte) (crypto.PubKey, error) {
	key, err := crypto.UnmarshalPublicKey(b)
	if err != nil {
		return nil, err
	}
	again, err := crypto.MarshalPublicKey(key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, wire.Errorf(wire.BadRequest, "not in its usual encoding")
	}
	return key, nil
}

// signedBytes is what a signature covers. The length before the domain keeps
// one domain and body from being read as another pair.
func signedBytes(d Domain, body []byte) []byte {
	b := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(d)+len(body)), uint64(len(d)))
	b = append(b, d...)
	return append(b, body...)
}

func envelopeBytes(body, key, sig []byte) []byte {
	var b wire.Builder
	return b.Bytes(fieldBody, body).Bytes(fieldKey, key).Bytes(fieldSignature, sig).Build()
}
