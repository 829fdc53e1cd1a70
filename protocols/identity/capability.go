package identity

import (
	"bytes"
	"encoding/base32"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a capability, in bytes.
const (
	MaxProof      = 16 << 10         // the device log of an account
	MaxCapability = 2<<10 + MaxProof // a whole envelope
	MaxObject     = 256              // what the capability is about
)

// ClockSkew is how far clocks of honest nodes may differ: a capability is
// taken this long before its NotBefore. Its Expiry is exact.
const ClockSkew = 10 * time.Minute

// Capability is an issuer's permission for one subject to do one thing to one
// object for a while. It cannot be passed on. Times have milliseconds.
type Capability struct {
	Issuer    Principal // whose object it is
	Subject   Principal // who may
	Object    []byte    // what: a pipe ID's bytes; 1 to MaxObject
	Right     Right     // do what
	Term      uint64    // of a bind right on an exclusive pipe: the term it binds under; else 0
	NotBefore time.Time // zero: from ever
	Expiry    time.Time // needed, after NotBefore
	Nonce     Nonce     // needed: NewNonce
	Proof     []byte    // needed of an issuing account: its device log; at most MaxProof

	// Set by OpenCapability for an issuing account, else empty.
	Device peer.ID    // of the account: who signed
	Log    *DeviceLog // Proof, verified: Device is valid in it
}

// Sign returns the capability's envelope, signed by priv: the issuer's own key
// or that of a device which is valid in the proof of an issuing account. Parts
// of a millisecond are cut off its times. Errors are those of OpenCapability,
// for a capability that it would refuse.
func (c Capability) Sign(priv crypto.PrivKey) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if priv == nil {
		return nil, wire.Errorf(wire.BadRequest, "capability: no key to sign with")
	}
	if err := c.signedBy(priv.GetPublic(), ParseLog); err != nil {
		return nil, err
	}
	return Sign(priv, DomainCapability, c.body())
}

// OpenCapability is LogReader.OpenCapability with ParseLog.
func OpenCapability(envelope []byte) (Capability, error) {
	return LogReader(ParseLog).OpenCapability(envelope)
}

// OpenCapability verifies an envelope and everything that needs no clock:
// format, signature, and that the issuer signed. Errors are BadRequest for
// what is malformed or forged, TooLarge above a cap, Unsupported for a right,
// field or device log of a later version, and those of the reader. Of an
// issuing account it says what the proof says: who knows another log of that
// account has Judge choose, and asks the winner whether Device is valid.
func (read LogReader) OpenCapability(envelope []byte) (Capability, error) {
	body, signer, err := Open(DomainCapability, envelope, MaxCapability)
	if err != nil {
		return Capability{}, err
	}
	c, err := parseCapability(body)
	if err != nil {
		return Capability{}, err
	}
	if err := c.signedBy(signer, read); err != nil {
		return Capability{}, err
	}
	return c, nil
}

// signedBy checks that the issuer's is the key that signed, and keeps the
// device and log of an account.
func (c *Capability) signedBy(signer crypto.PubKey, read LogReader) error {
	if c.Issuer.Kind() == KindAccount {
		log, device, err := read.OpenProof(c.Proof, c.Issuer, signer)
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "capability of %s: %w", c.Issuer, err)
		}
		c.Log, c.Device = log, device
		return nil
	}
	if !c.Issuer.Matches(signer) {
		return wire.Errorf(wire.BadRequest, "capability is forged: its issuer, %s, did not sign it", c.Issuer)
	}
	return nil
}

// Permit reports whether subject may do right to object at time now by this
// capability. It is Forbidden with the part that does not fit, or Expired. A
// caller checks besides that the issuer is the owner of the object.
func (c Capability) Permit(subject Principal, right Right, object []byte, now time.Time) error {
	switch {
	case c.Right != right:
		return wire.Errorf(wire.Forbidden, "capability gives the right to %s, not to %s", c.Right, right)
	case !bytes.Equal(c.Object, object):
		return wire.Errorf(wire.Forbidden, "capability is for %s, not for %s", objectText(c.Object), objectText(object))
	case c.Subject.IsZero() || c.Subject != subject:
		return wire.Errorf(wire.Forbidden, "capability is for %s, not for %s", c.Subject, subjectText(subject))
	case !now.Before(c.Expiry):
		return wire.Errorf(wire.Expired, "capability expired at %s", c.Expiry.UTC().Format(time.RFC3339)).
			WithNext("ask the owner for a new one")
	case now.Before(c.NotBefore.Add(-ClockSkew)):
		return wire.Errorf(wire.Forbidden, "capability is not valid before %s", c.NotBefore.UTC().Format(time.RFC3339)).
			WithNext("check the clock of this machine")
	}
	return nil
}

// FormatCapability returns the text of an envelope: "cap:" and base32 with a
// checksum.
func FormatCapability(envelope []byte) string { return capabilityForm().Format(envelope) }

// ParseCapability reads the text of a capability and opens it. Errors are those
// of OpenCapability, and BadRequest for a text that is mistyped.
func ParseCapability(text string) (envelope []byte, c Capability, err error) {
	envelope, err = capabilityForm().Parse(text)
	if err != nil {
		return nil, Capability{}, err
	}
	c, err = OpenCapability(envelope)
	if err != nil {
		return nil, Capability{}, err
	}
	return envelope, c, nil
}

func capabilityForm() TextForm {
	return TextForm{Name: "capability", Prefix: "cap:", Limit: MaxCapability}
}

// objectText writes an object in multibase base32, which for a pipe is its ID
// as people know it.
func objectText(object []byte) string {
	if len(object) == 0 {
		return "nothing"
	}
	return "b" + base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(object)
}

func subjectText(p Principal) string {
	if p.IsZero() {
		return "an unproven stranger"
	}
	return p.String()
}
