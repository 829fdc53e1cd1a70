package identity

import "github.com/libp2p/go-libp2p/core/peer"

// Outcome is how a log that is shown relates to the one that is known.
type Outcome uint8

// The outcomes of Judge.
const (
	Same    Outcome = iota // both are one
	Extends                // shown goes on from known, or nothing was known
	Older                  // known goes on from shown
	Beats                  // they fork, and shown wins
	Loses                  // they fork, and known wins
	Foreign                // of another account: known stays
)

// Judge returns which of two logs of one account is to be kept, and why. Of any
// set of logs the same one is left, in whatever order they are shown. Either
// may be nil.
func Judge(known, shown *DeviceLog) (*DeviceLog, Outcome) { return known, Foreign }

// Void returns what author has signed in loser that l, which beats it, lacks
// and that still makes sense on top of l, in order, for author to append again.
// Rotations are left out: a new one is due when a revocation is among them.
// It is empty when author is not valid in l.
func (l *DeviceLog) Void(loser *DeviceLog, author peer.ID) []Entry { return nil }
