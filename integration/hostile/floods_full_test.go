//go:build full

package hostile

import (
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestAFullHolderKeepsWhatFewHaveBrought: fourteen strangers, each of a network
// of its own, each with as many records near to the holder as one may bring,
// are more than it keeps for all. What others have brought stays.
func TestAFullHolderKeepsWhatFewHaveBrought(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		const strangers, each = 14, 2048
		bytes := 0
		for range strangers {
			p := a.stranger(t)
			p.meet(t, a.victim)
			for batch := range slices.Chunk(p.ground(wire.Place([]byte(a.victim.ID())), 3, each), pipe.MaxStoreRecords) {
				var all [][]byte
				for _, adv := range batch {
					e := p.binding(adv, func(b *pipe.Binding) { b.Life = time.Hour })
					all = append(all, e)
					bytes += len(e) + pipe.RecordOverhead
				}
				p.store(t, a.victim, all...)
				a.Pass(time.Second / 4)
			}
		}
		use := a.victim.Pipes().Usage()
		if bytes <= pipe.DefaultHolderBytes || use.RecordBytes > pipe.DefaultHolderBytes {
			t.Errorf("%d bytes were brought, %d are kept of at most %d", bytes, use.RecordBytes, pipe.DefaultHolderBytes)
		}
		// The victim itself still has the true pipe's record, and gives it.
		asker := a.stranger(t)
		if got := asker.request(t, a.victim, asker.query(a.pipe, a.victim)); got == nil || !got.Found {
			t.Errorf("the holder has lost the true record: %v", got)
		}
		if got := asker.store(t, a.victim, asker.binding(asker.advertisement(1), asItIs)); got[0] != wire.OK {
			t.Errorf("an honest depositor finds no room: %v", got)
		}
	})
}
