package roster

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
)

// purposes is how many there are, for arrays with a place for each.
const purposes = buddy.PurposeChat + 1

// slot is the place of the one link of a purpose that stands between this device
// and another.
//
//	         dial                    Hello
//	empty ---------> dialling ------------------> live (dialled)
//	  |                 |  the lower one dialled      |
//	  +-----------------+-----------------------> live (theirs)
type slot struct {
	dialling bool
	live     bool
	dialled  bool // by this device
	run      buddy.Run
	number   uint64 // of the link that is live, to tell it from the one before
	failed   int    // dials, one after the other
	next     time.Time
	asked    bool // the far side looks at this account (roster alone)
}

// verdict is what becomes of a link that arrives in a slot, by its Hello.
type verdict uint8

const (
	refuse  verdict = iota + 1 // another stands, or will
	install                    // it stands from now on; what stood ends
)

// arrives judges a link whose Hello was read: dialled by this device or by far.
func (s *slot) arrives(self, far peer.ID, mine bool, run buddy.Run) verdict {
	favoured := mine == (self < far) // the lower one dialled it
	switch {
	case s.live && s.run != run, s.live && s.dialled == mine:
		return install // the far side has begun anew, or has lost the one before
	case s.live && !favoured, !s.live && s.dialling && !mine && !favoured:
		return refuse
	}
	return install
}
