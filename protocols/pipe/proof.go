package pipe

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/peer"
)

// queryPrefix keeps a query's proof from being any other HMAC under the ID.
const queryPrefix = "panpipe/query"

// QueryProof proves to the asked node that the asker knows the pipe's ID and
// not merely its key: HMAC-SHA256 with the 36 bytes of the ID as key, over
// "panpipe/query" ‖ nonce ‖ asker ‖ asked, peer IDs in their binary form. The
// asked node cannot pass it on as its own.
func QueryProof(id ID, nonce []byte, asker, asked peer.ID) []byte {
	mac := hmac.New(sha256.New, id.Bytes())
	mac.Write([]byte(queryPrefix))
	mac.Write(nonce)
	mac.Write([]byte(asker)) // a multihash tells its own length, so the two
	mac.Write([]byte(asked)) // cannot be read as another pair
	return mac.Sum(nil)
}
