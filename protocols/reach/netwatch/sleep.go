package netwatch

import "time"

const (
	tickTime  = time.Second     // between two readings of the clocks
	sleepTime = 5 * time.Second // beyond a tick is sleep
)

// reading is what both clocks say at one moment.
type reading struct {
	wall time.Time     // read as time.Now().Round(0), so that it has no monotonic part
	mono time.Duration // since whenever
}

// clocks reads the machine's clocks.
func clocks() func() reading {
	start := time.Now()
	return func() reading {
		now := time.Now()
		return reading{wall: now.Round(0), mono: now.Sub(start)}
	}
}

// slept judges two readings that should be a tick apart: how long the machine
// slept between them, 0 for not at all. The clock that went farther is right:
// the monotonic one may stand still in sleep, the wall clock may be set back.
func slept(before, now reading) time.Duration {
	step := max(now.wall.Sub(before.wall), now.mono-before.mono)
	if step < tickTime+sleepTime {
		return 0
	}
	return step - tickTime
}
