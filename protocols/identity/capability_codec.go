package identity

import (
	"bytes"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Field numbers of a capability's body.
const (
	capIssuer    = 1
	capSubject   = 2
	capObject    = 3
	capRight     = 4
	capTerm      = 5
	capNotBefore = 6
	capExpiry    = 7
	capNonce     = 8
	capProof     = 9
)

// maxMillis is the last millisecond of the year 9999, the last that text
// formats of times can write.
const maxMillis = 253402300799999

// body returns the canonical bytes of a checked capability.
func (c Capability) body() []byte {
	var b wire.Builder
	return b.
		Bytes(capIssuer, c.Issuer.Bytes()).
		Bytes(capSubject, c.Subject.Bytes()).
		Bytes(capObject, c.Object).
		Uint(capRight, uint64(c.Right)).
		Uint(capTerm, c.Term).
		Uint(capNotBefore, millis(c.NotBefore)).
		Uint(capExpiry, millis(c.Expiry)).
		Bytes(capNonce, c.Nonce[:]).
		Bytes(capProof, c.Proof).
		Build()
}

// parseCapability reads what body made. The result shares no memory with b.
func parseCapability(b []byte) (Capability, error) {
	f, err := wire.ParseFields(b)
	if err != nil {
		return Capability{}, wire.Errorf(wire.CodeOf(err), "capability: %w", err)
	}
	c := Capability{
		Issuer:    principalField(f, capIssuer),
		Subject:   principalField(f, capSubject),
		Object:    bytes.Clone(f.Bytes(capObject, MaxObject)),
		Right:     rightField(f, capRight),
		Term:      f.Uint(capTerm, 1<<64-1),
		NotBefore: timeField(f, capNotBefore),
		Expiry:    timeField(f, capExpiry),
		Nonce:     nonceField(f, capNonce),
		Proof:     bytes.Clone(f.Bytes(capProof, MaxProof)),
	}
	if err := f.Done(); err != nil {
		return Capability{}, wire.Errorf(wire.CodeOf(err), "capability: %w", err)
	}
	if err := c.check(); err != nil {
		return Capability{}, err
	}
	return c, nil
}

// check refuses what no issuer may sign and no reader takes.
func (c Capability) check() error {
	bad := func(why string) error { return wire.Errorf(wire.BadRequest, "capability: %s", why) }
	switch {
	case c.Issuer.IsZero():
		return bad("no issuer")
	case c.Subject.IsZero():
		return bad("no subject")
	case len(c.Object) == 0:
		return bad("no object")
	case len(c.Object) > MaxObject:
		return wire.Errorf(wire.TooLarge, "capability: object of %d bytes, at most %d", len(c.Object), MaxObject)
	case c.Right < RightBind || c.Right > RightSubscribe:
		return bad("no right")
	case !validTime(c.NotBefore) || !validTime(c.Expiry):
		return bad("its times lie outside 1970 to 9999")
	case c.Expiry.IsZero():
		return bad("no expiry")
	case millis(c.Expiry) <= millis(c.NotBefore):
		return bad("it expires before it begins")
	case c.Nonce == Nonce{}:
		return bad("no nonce")
	case len(c.Proof) > MaxProof:
		return wire.Errorf(wire.TooLarge, "capability: proof of %d bytes, at most %d", len(c.Proof), MaxProof)
	case (len(c.Proof) > 0) != (c.Issuer.Kind() == KindAccount):
		return bad("a proof goes with an account that issues it, and with nobody else")
	}
	return nil
}

// principalField reads a principal, nobody when the field is absent.
func principalField(f *wire.Fields, num uint64) Principal {
	b := f.Bytes(num, MaxPrincipal)
	if b == nil {
		return Principal{}
	}
	p, err := PrincipalFromBytes(b)
	if err != nil {
		f.Fail(err)
	}
	return p
}

func rightField(f *wire.Fields, num uint64) Right {
	n := f.Uint(num, 1<<8-1)
	if n > uint64(RightSubscribe) {
		f.Fail(wire.Errorf(wire.Unsupported, "right %d is unknown to this version", n))
	}
	return Right(n)
}

func timeField(f *wire.Fields, num uint64) time.Time {
	ms := f.Uint(num, maxMillis)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func nonceField(f *wire.Fields, num uint64) Nonce {
	b := f.Bytes(num, len(Nonce{}))
	if b == nil {
		return Nonce{}
	}
	if len(b) != len(Nonce{}) {
		f.Fail(wire.Errorf(wire.BadRequest, "nonce of %d bytes, expected %d", len(b), len(Nonce{})))
		return Nonce{}
	}
	return Nonce(b)
}

// validTime accepts the zero time, which is left out, and what fits the field.
func validTime(t time.Time) bool {
	return t.IsZero() || (t.UnixMilli() > 0 && t.UnixMilli() <= maxMillis)
}

// millis returns Unix milliseconds, 0 for the zero time.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}
