package replica

import "time"

// MaxAhead is how far a stamp may lie ahead of a device's own clock and still
// move it, or place an entry.
const MaxAhead = 10 * time.Minute

// Stamp is a reading of a hybrid logical clock: Unix milliseconds ‖ 16 bits.
// The first bit is 0.
type Stamp uint64

// StampAt is the first stamp of t's millisecond. Times before 1970 give 0.
func StampAt(t time.Time) Stamp { return Stamp(min(max(t.UnixMilli(), 0), maxSent>>1)) << 16 }

// Within reports that s lies at most MaxAhead ahead of now.
func (s Stamp) Within(now time.Time) bool { return s <= StampAt(now.Add(MaxAhead)) }

// Clock gives the stamps of a device's own entries. The zero Clock is ready.
type Clock struct{ last Stamp }

// Next returns a stamp above all that Next gave and Observe was told.
func (c *Clock) Next(now time.Time) Stamp {
	c.last = max(StampAt(now), c.last+1)
	return c.last
}

// Observe moves the clock to a stamp that was met, if it is within MaxAhead.
func (c *Clock) Observe(s Stamp, now time.Time) {
	if s.Within(now) {
		c.last = max(c.last, s)
	}
}
