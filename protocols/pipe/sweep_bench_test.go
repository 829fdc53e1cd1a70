package pipe

import (
	"slices"
	"testing"
)

// BenchmarkSweepMeetsServers is what 100 records and 8,192 servers cost that are
// named twenty at a time.
func BenchmarkSweepMeetsServers(b *testing.B) {
	infos := infosOf(newOverlay(8192, Replication).ids)
	for b.Loop() {
		m := newSweep("self", defaultSweepLimits())
		for i := range 100 {
			m.addRecord(i, modelKey(i), 600)
		}
		for named := range slices.Chunk(infos, MaxCloser) {
			m.hear(&sweptServer{id: "teller"}, named)
		}
	}
}
