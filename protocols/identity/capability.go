package identity

import (
	"bytes"
	"encoding/base32"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

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
	Proof     []byte    // device log of an issuing account; at most MaxProof
}

// Sign returns the capability's envelope, signed by priv: the issuer's own key
// or, with a proof, a device of the issuing account. Parts of a millisecond
// are cut off its times. Errors are BadRequest for a capability that
// OpenCapability would refuse, TooLarge above a cap.
func (c Capability) Sign(priv crypto.PrivKey) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	device := c.Issuer.Kind() == KindAccount && len(c.Proof) > 0
	if priv == nil || (!device && !c.Issuer.Matches(priv.GetPublic())) {
		return nil, wire.Errorf(wire.BadRequest, "capability: the signing key is not that of its issuer, %s", c.Issuer)
	}
	return Sign(priv, DomainCapability, c.body())
}

// OpenCapability verifies an envelope and everything that needs no clock:
// format, signature, and that the issuer signed. Errors are BadRequest for
// what is malformed or forged, TooLarge above a cap, and Unsupported for an
// issuing account, a proof, or a right or field that this version does not
// know.
func OpenCapability(envelope []byte) (Capability, error) {
	body, signer, err := Open(DomainCapability, envelope, MaxCapability)
	if err != nil {
		return Capability{}, err
	}
	c, err := parseCapability(body)
	if err != nil {
		return Capability{}, err
	}
	if c.Issuer.Kind() == KindAccount || len(c.Proof) > 0 {
		return Capability{}, wire.Errorf(wire.Unsupported, "capability issued by %s: this version takes no capabilities of accounts", c.Issuer)
	}
	if !c.Issuer.Matches(signer) {
		return Capability{}, wire.Errorf(wire.BadRequest, "capability is forged: its issuer, %s, did not sign it", c.Issuer)
	}
	return c, nil
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
func FormatCapability(envelope []byte) string { return capabilityForm().format(envelope) }

// ParseCapability reads the text of a capability and opens it. Errors are those
// of OpenCapability, and BadRequest for a text that is mistyped.
func ParseCapability(text string) (envelope []byte, c Capability, err error) {
	envelope, err = capabilityForm().parse(text)
	if err != nil {
		return nil, Capability{}, err
	}
	c, err = OpenCapability(envelope)
	if err != nil {
		return nil, Capability{}, err
	}
	return envelope, c, nil
}

func capabilityForm() form {
	return form{name: "capability", prefix: "cap:", limit: MaxCapability}
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
