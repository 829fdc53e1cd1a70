package trunk

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// When SEEN is sent.
const (
	seenNow   = 256 << 10             // unreported bytes that are reported at once,
	seenEvery = 2 * time.Millisecond  // but not more often than this
	seenAlong = 4 << 10               // that are reported with what is sent anyway
	seenDelay = 25 * time.Millisecond // after which the rest is
)

// life is what a carrier knows of bytes that arrived, at either side. Without
// another word it is guarded by the carrier's mu.
type life struct {
	written uint64 // bytes of frames of legs
	seen    uint64 // of these by the far side

	progress time.Time // of seen, or when something began to be owed
	empty    time.Time // when the last leg went
	pinged   bool      // a PING is unanswered
	pings    uint64    // sent; the last one's number is its data

	window window
	most   uint64 // bytes that may be outstanding

	watch *time.Timer // looks after the far side
	due   time.Time   // when it does

	reported  atomic.Uint64 // of received, to the far side
	reporting atomic.Bool   // report is set
	hurried   bool          // to seenEvery; owned by run
	last      time.Duration // when bulk was reported last; owned by run
	report    *time.Timer
}

func (f *life) begin(c *carrier) {
	f.empty, f.most = time.Now(), firstWindow
	f.watch = time.AfterFunc(time.Hour, c.look)
	f.report = time.AfterFunc(time.Hour, c.reportLate)
	f.reset(c.t.cfg.Limits.Idle)
}

// end stops the clocks.
func (f *life) end() {
	f.watch.Stop()
	f.report.Stop()
}

// reset has the watch look in d from now.
func (f *life) reset(d time.Duration) {
	f.due = time.Now().Add(d)
	f.watch.Reset(d)
}

// outstanding is how many bytes are not known to have arrived.
func (f *life) outstanding() uint64 { return f.written - f.seen }

// full reports that no more frames of legs may be sent for now.
func (f *life) full() bool { return f.outstanding() >= f.most }

// wrote notes that n bytes of legs are on their way.
func (f *life) wrote(n int) {
	if n == 0 {
		return
	}
	if f.outstanding() == 0 && !f.pinged {
		f.owe()
	}
	f.written += uint64(n)
}

// owe begins a wait for the far side.
func (f *life) owe() {
	f.progress = time.Now()
	f.window.begin(f.progress, f.seen)
	if f.due.Sub(f.progress) > patience {
		f.reset(patience)
	}
}

// legsCame notes that there are legs.
func (f *life) legsCame(c *carrier) {
	if c.legCount() == 1 {
		f.reset(pingAfter)
	}
}

// saw takes in a SEEN, which makes room. It is called with mu held.
func (c *carrier) saw(n uint64) error {
	f := &c.life
	if n > f.written || n < f.seen {
		return wire.Errorf(wire.BadRequest, "%d bytes are said to have been read, of %d to %d", n, f.seen, f.written)
	}
	if n > f.seen {
		f.seen, f.progress = n, time.Now()
		if f.window.saw(f.progress, n, c.turns.head != nil) {
			f.most = f.window.size(c.path.RTT())
		}
		c.kickLocked()
	}
	return nil
}

// pulse tells how the carrier is. It is called with mu held.
func (c *carrier) pulse(now time.Time) pulse {
	f := &c.life
	p := pulse{legs: c.legCount() > 0, rtt: c.path.RTT(), idle: c.t.cfg.Limits.Idle, going: c.due.going}
	switch {
	case !p.legs:
		p.quiet = now.Sub(f.empty)
	case f.pinged || f.outstanding() > 0:
		p.owed, p.quiet = true, now.Sub(f.progress)
	default:
		p.quiet = now.Sub(c.since) - time.Duration(c.heard.Load())
	}
	return p
}

// look does what the watch finds to be done.
func (c *carrier) look() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	a, next := judge(c.pulse(time.Now()))
	c.life.reset(max(next, time.Millisecond))
	switch a {
	case ping:
		c.life.pings++
		c.life.pinged, c.due.ping = true, true
		c.life.owe()
		c.kickLocked()
	case leave:
		c.goAwayLocked()
	}
	c.mu.Unlock()
	switch a {
	case doubt:
		c.t.cfg.Reach.Doubt(c.path)
	case end:
		c.fail(wire.Errorf(wire.Timeout, "%s has stopped reading or answering a carrier", c.path.Peer()))
	}
}

// emptyLocked is told that the last leg has gone.
func (c *carrier) emptyLocked() {
	if c.ended {
		return
	}
	c.life.empty = time.Now()
	switch {
	case c.due.farGoing:
		c.goAwayLocked()
		c.due.half = true
		c.kickLocked()
	case c.due.going:
		c.life.reset(goAwayTime)
	case c.own && c.outgoing:
		c.goAwayLocked()
	default:
		c.life.reset(c.t.cfg.Limits.Idle)
	}
}

// goAwayLocked tells the far side to open no more legs, which this side will
// not do either, and to end its side when there are none.
func (c *carrier) goAwayLocked() {
	if c.due.going {
		return
	}
	c.due.going, c.due.goAway = true, true
	c.life.empty = time.Now()
	c.life.reset(goAwayTime)
	c.kickLocked()
}

// count notes that n bytes of frames of legs were read, and sees that the far
// side is told. Only run calls it.
func (c *carrier) count(n int) {
	f := &c.life
	received := c.received.Add(uint64(n))
	if received-f.reported.Load() < seenNow {
		f.hurried = false
		c.reportSoon()
		return
	}
	if now := c.hear(); now-f.last >= seenEvery {
		f.last = now
		c.reportNow()
	} else if !f.hurried { // the far side may wait for it
		f.hurried = true
		f.reporting.Store(true)
		f.report.Reset(seenEvery)
	}
}

// reportSoon has SEEN sent, and LEAVEs that wait, after seenDelay.
func (c *carrier) reportSoon() {
	if f := &c.life; !f.reporting.Load() && f.reporting.CompareAndSwap(false, true) { // the first alone costs little, for each frame
		f.report.Reset(seenDelay)
	}
}

// reportNow has SEEN sent, and LEAVEs that wait.
func (c *carrier) reportNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.due.seen = c.due.seen || c.received.Load() != c.life.reported.Load()
	c.kickLocked()
}

// reportLate is what report does.
func (c *carrier) reportLate() {
	c.life.reporting.Store(false)
	c.hear()
	c.reportNow()
}

// pingData tells the PINGs of a carrier apart.
func pingData(n uint64) (b [pingSize]byte) {
	binary.BigEndian.PutUint64(b[:], n)
	return b
}
