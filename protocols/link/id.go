package link

import (
	"crypto/rand"
	"encoding/hex"
)

// IDSize is the size of an ID in bytes.
const IDSize = 16

// ID names a link at both of its ends: 128 random bits, chosen by whoever
// opened it. It is no secret: only the peers of the link can use it.
type ID [IDSize]byte

// NewID returns a random ID.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// String returns the ID in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
