package wire

import "encoding/hex"

// Key is a place in the DHT's key space: 256 bits, the same space as the
// SHA-256 of a peer ID's bytes (Kademlia, XOR metric).
type Key [32]byte

// String returns the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }
