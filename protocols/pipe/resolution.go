package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Origin says where an answer's record comes from.
type Origin string

// Origins.
const (
	OriginAuthoritative Origin = "authoritative" // from the binder itself
	OriginHeld          Origin = "held"          // from a holder
	OriginCached        Origin = "cached"        // from somebody's cache, maybe this node's own
)

// Found is one proven binding.
type Found struct {
	Binding  Binding
	Envelope []byte        // the signed record, as the binder made it
	From     peer.ID       // who gave it
	Origin   Origin        // what it was to that peer
	Age      time.Duration // since that peer received it
	Unproven []int         // indexes of endpoints that the holder could not tie to the binder

	received time.Time // by this node
}

// Resolution is what is known about who serves a pipe. It is shared and must
// not be changed.
type Resolution struct {
	Pipe          ID
	Advertisement Advertisement
	Bindings      []Found       // live ones, best first, at least one
	Asked         int           // nodes that were asked; zero when the answer was at hand
	Took          time.Duration // until the first proven binding
}

// own reports that the best binding is the node's own.
func (r *Resolution) own(self identity.Principal) bool { return r.Bindings[0].Binding.Binder == self }
