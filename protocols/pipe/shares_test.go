package pipe

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// fill takes places until there are no more for a share, and counts them.
func fill(s *shares, of share) (n int) {
	for {
		if _, ok := s.take(of); !ok {
			return n
		}
		n++
	}
}

func TestNobodyTakesAllPlaces(t *testing.T) {
	s := newShares(96, 0)
	a, b, c := shareOf("a", ""), shareOf("b", ""), shareOf("c", "")
	for i, want := range []int{48, 24, 12} {
		if got := fill(s, []share{a, b, c}[i]); got != want {
			t.Errorf("peer %d got %d places, expected %d", i, got, want)
		}
	}
	for range 48 {
		s.give(a)
	}
	if got := fill(s, c); got != 24 {
		t.Errorf("a peer with 12 got %d of the 60 that are free now, expected 24", got)
	}
}

func TestManyPeersOfOneGroupLeavePlacesToOthers(t *testing.T) {
	s := newShares(90, 0)
	for i := range 200 {
		fill(s, shareOf(peer.ID(fmt.Sprint(i)), "1.2.3.0/24"))
	}
	if s.used() != 60 {
		t.Errorf("one group holds %d of 90 places, expected two thirds", s.used())
	}
	if got := fill(s, shareOf("other", "5.6.7.0/24")); got != 15 {
		t.Errorf("a peer of another group got %d places", got)
	}
}

func TestPlacesAreKeptForThisNode(t *testing.T) {
	s := newShares(64, 8)
	for i := range 200 {
		fill(s, shareOf(peer.ID(fmt.Sprint(i)), ""))
	}
	if s.used() != 56 {
		t.Errorf("others hold %d of 64 places though 8 are kept", s.used())
	}
	if got := fill(s, ownShare); got != 8 {
		t.Errorf("this node got %d of the 8 places that are kept", got)
	}
	if most, ok := s.take(ownShare); ok || most != 64 {
		t.Errorf("a 65th place: %d, %v", most, ok)
	}
	s.give(ownShare)
	if _, ok := s.take(shareOf("other", "")); ok {
		t.Error("a place that is kept went to somebody else")
	}
}

func TestPlacesGivenBackAreForgotten(t *testing.T) {
	s := newShares(8, 1)
	of := shareOf("a", "g")
	for range fill(s, of) {
		s.give(of)
	}
	s.take(ownShare)
	s.give(ownShare)
	if s.used() != 0 || len(s.by) != 0 || s.own != 0 {
		t.Errorf("%d places used, %d shares remembered", s.used(), len(s.by))
	}
}
