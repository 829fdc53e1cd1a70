package pairing

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

var opened = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestDeskRows(t *testing.T) {
	const phone, thief peer.ID = "phone", "thief"
	right, wrong := Mailbox{1}, Mailbox{2}
	fresh := desk{offer: Offer{Mailbox: right}, opened: opened}
	for _, c := range []struct {
		name    string
		desk    desk
		mailbox Mailbox
		after   time.Duration
		want    wire.Code
	}{
		{"open", fresh, right, 0, wire.OK},
		{"wrong mailbox", fresh, wrong, 0, wire.Unknown},
		{"late", fresh, right, Life, wire.Expired},
		{"guessed at", desk{offer: fresh.offer, opened: opened, wrong: guesses}, right, 0, wire.Gone},
		{"guessed at, wrong mailbox", desk{offer: fresh.offer, opened: opened, wrong: guesses}, wrong, 0, wire.Unknown},
		{"two guesses", desk{offer: fresh.offer, opened: opened, wrong: guesses - 1}, right, 0, wire.OK},
		{"won by itself", desk{offer: fresh.offer, opened: opened, winner: phone}, right, 0, wire.OK},
		{"won by itself, late", desk{offer: fresh.offer, opened: opened, winner: phone}, right, Life, wire.Expired},
		{"won by another", desk{offer: fresh.offer, opened: opened, winner: thief}, right, 0, wire.Taken},
		{"over", desk{offer: fresh.offer, opened: opened, winner: phone, over: true}, right, 0, wire.Gone},
	} {
		wantCode(t, c.name, c.desk.admit(opened.Add(c.after), c.mailbox, phone), c.want)
	}
	if fresh.finish(phone).over {
		t.Error("who has not won has ended it")
	}
}

// TestNoRunOfGuessesIsLonger: whoever comes in whatever order, a desk judges at
// most three wrong proofs, and has one winner.
func TestNoRunOfGuessesIsLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := desk{opened: opened}
		judged, winners := 0, map[peer.ID]bool{}
		for _, n := range rapid.SliceOf(rapid.IntRange(0, 7)).Draw(t, "attempts") {
			who := peer.ID(rune('a' + n%4))
			right := n >= 4
			var err error
			d, err = d.judge(opened, who, right)
			switch wire.CodeOf(err) {
			case wire.OK:
				winners[who] = true
			case wire.Forbidden:
				judged++
			}
		}
		if judged > guesses || len(winners) > 1 {
			t.Fatalf("%d wrong proofs judged, winners %v", judged, winners)
		}
	})
}
