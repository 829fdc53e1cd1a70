package roster

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
)

func TestOneOfTwoLinksStands(t *testing.T) {
	const low, high = peer.ID("1"), peer.ID("2")
	now, before := buddy.Run{1}, buddy.Run{2}
	empty, dialling := slot{}, slot{dialling: true}
	mine, theirs := slot{live: true, dialled: true, run: now}, slot{live: true, run: now}
	for _, row := range []struct {
		name      string
		s         slot
		self, far peer.ID
		mine      bool
		run       buddy.Run
		want      verdict
	}{
		{"nothing stands, they dialled", empty, low, high, false, now, install},
		{"nothing stands, I dialled", dialling, low, high, true, now, install},
		{"I dial, the higher one came", dialling, low, high, false, now, refuse},
		{"I dial, the lower one came", dialling, high, low, false, now, install},
		{"mine stands, the higher one came", mine, low, high, false, now, refuse},
		{"mine stands, the lower one came", mine, high, low, false, now, install},
		{"theirs stands, mine came and is lower", theirs, low, high, true, now, install},
		{"theirs stands, mine came and is higher", theirs, high, low, true, now, refuse},
		{"mine stands, and the far side began anew", mine, low, high, false, before, install},
		{"theirs stands, and they dial again", theirs, low, high, false, now, install},
		{"theirs stands, and they dial again, lower", theirs, high, low, false, now, install},
		{"mine stands, and I dial again", mine, high, low, true, now, install},
	} {
		if got := row.s.arrives(row.self, row.far, row.mine, row.run); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// Where both dial at the same time, both ends decide alike, whoever is asked
// first: one link stands.
func TestBothEndsChooseTheSameLink(t *testing.T) {
	const low, high = peer.ID("1"), peer.ID("2")
	type arrival struct{ byLow bool }
	for _, order := range [][2][2]arrival{ // at low, at high
		{{{true}, {false}}, {{true}, {false}}}, {{{true}, {false}}, {{false}, {true}}},
		{{{false}, {true}}, {{true}, {false}}}, {{{false}, {true}}, {{false}, {true}}},
	} {
		stands := [2]bool{}
		for end, self := range []peer.ID{low, high} {
			far := []peer.ID{high, low}[end]
			s := slot{dialling: true}
			for _, a := range order[end] {
				mine := a.byLow == (self == low)
				if s.arrives(self, far, mine, buddy.Run{}) == install {
					s.live, s.dialled = true, mine
				}
			}
			stands[end] = s.dialled == (self == low) // low's link
			if !s.live {
				t.Errorf("%v: nothing stands at %s", order, self)
			}
		}
		if !stands[0] || !stands[1] {
			t.Errorf("%v: the link of the lower one stands at low: %v, at high: %v", order, stands[0], stands[1])
		}
	}
}
