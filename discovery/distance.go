package discovery

import (
	"bytes"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Distance is the XOR of key and the place of p in the key space (the SHA-256
// of its bytes, as in kad-dht), big endian: smaller is nearer.
func Distance(key wire.Key, p peer.ID) [32]byte {
	return key.Distance([]byte(p))
}

func nearer(a, b [32]byte) bool { return bytes.Compare(a[:], b[:]) < 0 }
