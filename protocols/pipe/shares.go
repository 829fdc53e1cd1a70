package pipe

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// shares divides a number of places among peers and address groups, so that
// nobody can take them all: a peer may have as many as are still free, a group
// twice as many. Alone, a peer gets half of the places, of two each gets a
// third, and whoever comes next finds some free. Places are neither promised
// nor taken back.
type shares struct {
	places int // for all
	kept   int // of these, for this node's own use

	mu    sync.Mutex // guards what follows
	taken int
	own   int // of taken
	by    map[string]int
}

func newShares(places, kept int) *shares {
	return &shares{places: places, kept: kept, by: make(map[string]int)}
}

// share says who takes a place.
type share struct{ peer, group string }

// ownShare is this node's own: it is limited by what there is alone.
var ownShare = share{}

// shareOf is the share of a peer. A group that is empty is not counted.
func shareOf(p peer.ID, group string) share {
	s := share{peer: "peer " + string(p)}
	if group != "" {
		s.group = "group " + group
	}
	return s
}

// take takes one place. It is false when there is none for this share; most is
// what the share could have had.
func (s *shares) take(of share) (most int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.places - s.taken
	if of == ownShare {
		if free <= 0 {
			return s.places, false
		}
		s.taken++
		s.own++
		return s.places, true
	}
	// What is kept for this node's own use is not free to others, as far as
	// this node does not use it already.
	free -= max(0, s.kept-s.own)
	if s.by[of.peer] >= free {
		return max(0, free), false
	}
	if of.group != "" && s.by[of.group] >= 2*free {
		return max(0, 2*free), false
	}
	s.taken++
	s.by[of.peer]++
	if of.group != "" {
		s.by[of.group]++
	}
	return free, true
}

// give gives a place back.
func (s *shares) give(of share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if of == ownShare {
		s.own--
		return
	}
	for _, name := range []string{of.peer, of.group} {
		if s.by[name]--; s.by[name] <= 0 {
			delete(s.by, name)
		}
	}
}

// used is how many places are taken.
func (s *shares) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
