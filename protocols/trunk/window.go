package trunk

import "time"

// What may be under way on a carrier: enough for the path, and so little that
// the muxer and the sockets below do not queue seconds of bulk before a small
// frame, or before the ping that shows that a slow path lives.
const (
	firstWindow   = 1 << 20
	leastWindow   = 256 << 10
	windowTime    = 250 * time.Millisecond // at the rate at which bytes arrive, at least
	windowRTT     = 4                      // the same, in round trips
	sampleTime    = 20 * time.Millisecond  // over which the rate is measured, at least
	rateRemembers = 0.75                   // of a rate, after a busy sample that is lower
)

// window measures at which rate the far side reads.
type window struct {
	rate float64   // bytes a second
	from time.Time // when the sample began
	at   uint64    // what had been seen by then
}

// begin starts a sample: until now nothing was under way.
func (w *window) begin(now time.Time, seen uint64) { w.from, w.at = now, seen }

// saw takes in that the far side has read so much, and reports that a sample
// is complete. Unless busy, there was too little to send to tell that the path
// has become slower.
func (w *window) saw(now time.Time, seen uint64, busy bool) bool {
	took := now.Sub(w.from)
	if took < sampleTime {
		return false
	}
	if busy {
		w.rate *= rateRemembers
	}
	w.rate = max(w.rate, float64(seen-w.at)/took.Seconds())
	w.begin(now, seen)
	return true
}

// size is how many bytes may be under way. A window that is what bounds the
// rate grows with every round trip, as it is several times what one needs.
func (w *window) size(rtt time.Duration) uint64 {
	return max(leastWindow, uint64(w.rate*max(windowTime, windowRTT*rtt).Seconds()))
}
