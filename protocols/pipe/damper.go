package pipe

import "time"

// Bounds of how often a binding is published out of turn.
const (
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

// damper spaces out what happens again and again: at once the first time, then
// after pauses that double from leastPause to mostPause. Twice mostPause of
// rest, and the next is the first again. It has no clock.
type damper struct {
	last  time.Time // fired
	pause time.Duration
}

// next is when something may happen that is wanted from now on.
func (d *damper) next(now time.Time) time.Time {
	if at := d.last.Add(d.pause); at.After(now) {
		return at
	}
	return now
}

// fire notes that it happens at time at.
func (d *damper) fire(at time.Time) {
	if d.pause == 0 || at.Sub(d.last) >= 2*mostPause {
		d.pause = leastPause
	} else {
		d.pause = min(2*d.pause, mostPause)
	}
	d.last = at
}
