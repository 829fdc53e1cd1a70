package identity

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Right is what a capability permits. Its number is its wire form.
type Right uint8

// The rights.
const (
	RightBind      Right = 1 // bind a pipe: "bind"
	RightDial      Right = 2 // dial a pipe: "dial"
	RightPublish   Right = 3 // publish into a propagate pipe: "publish"
	RightSubscribe Right = 4 // receive from a propagate pipe: "subscribe"
)

// ParseRight reads a right's word. Errors are BadRequest.
func ParseRight(s string) (Right, error) {
	for r := RightBind; r <= RightSubscribe; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, wire.Errorf(wire.BadRequest, `right %s: expected "bind", "dial", "publish" or "subscribe"`, quote(s))
}

// String returns the right's word, "none" for anything that is not a right.
func (r Right) String() string {
	switch r {
	case RightBind:
		return "bind"
	case RightDial:
		return "dial"
	case RightPublish:
		return "publish"
	case RightSubscribe:
		return "subscribe"
	}
	return "none"
}

// Nonce makes a capability unlike any other, and is the name by which it is
// revoked. 128 random bits.
type Nonce [16]byte

// NewNonce returns a random nonce.
func NewNonce() Nonce {
	var n Nonce
	rand.Read(n[:]) // never fails: crypto/rand ends the program instead
	return n
}

// ParseNonce reads what String made. Errors are BadRequest.
func ParseNonce(s string) (Nonce, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(Nonce{}) {
		return Nonce{}, wire.Errorf(wire.BadRequest, "nonce %s: expected %d hexadecimal digits", quote(s), 2*len(Nonce{}))
	}
	return Nonce(b), nil
}

// String returns the nonce in hexadecimal.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }
