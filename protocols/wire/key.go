package wire

import (
	"crypto/sha256"
	"encoding/hex"
)

// Key is a place in the DHT's key space: 256 bits, the same space as the
// SHA-256 of a peer ID's bytes (Kademlia, XOR metric).
type Key [32]byte

// String returns the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Place returns where a node is in the key space, given its binary peer ID.
func Place(node []byte) Key { return sha256.Sum256(node) }

// Distance returns how far a node, given by its binary peer ID, is from k: the
// XOR of k and the node's place, to be read as a big-endian number, so that the
// smaller in byte order is nearer.
func (k Key) Distance(node []byte) Key { return k.XOR(Place(node)) }

// XOR returns the distance of two places.
func (k Key) XOR(other Key) Key {
	for i := range k {
		k[i] ^= other[i]
	}
	return k
}
