package link

import (
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// keptLegs is how many legs a link remembers.
const keptLegs = 8

// Why a leg began or ended.
const (
	WhyOpened  = "opened" // the link's first leg
	WhyLost    = "the leg was lost"
	WhyBetter  = "better path"
	WhyBulk    = "carrier of its own"
	WhyFar     = "the far side changed legs"
	WhyReplace = "replaced"
)

// Leg tells of one leg of a link, past or present.
type Leg struct {
	Transport reach.Transport
	Remote    ma.Multiaddr // the far end's address on its path
	Direct    bool         // no relay stands between
	Own       bool         // the carrier has no other links
	Began     time.Time
	Why       string    // why it began
	Heard     time.Time // when the far side's first word came; zero before
	Ended     time.Time // zero while in use
	End       error     // why it ended
	BytesIn   uint64    // of data, repeats included
	BytesOut  uint64
	Replayed  uint64        // bytes out that had been sent on a leg before
	Pause     time.Duration // between the end of the one before it and the first word on this one
}

// history is the legs of a link, newest last. Guarded by the link's lock.
type history struct {
	events  []Event // not yet told
	legs    []*Leg
	count   int
	began   time.Time // of the pause that goes on; zero for none
	highest uint64    // sent so far
}

// Legs lists the link's last legs, the newest last, and how many there were.
func (l *Link) Legs() (legs []Leg, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, leg := range l.history.legs {
		legs = append(legs, *leg)
	}
	return legs, l.history.count
}

// beganLocked notes a leg.
func (a *attachment) beganLocked(why string, now time.Time) {
	h := &a.l.history
	a.bulk.since = now
	p := a.leg.Path()
	a.record = &Leg{
		Transport: p.Transport(), Remote: p.Remote(), Direct: p.Direct(), Own: a.leg.Own(), Began: now, Why: why,
	}
	if len(h.legs) == keptLegs {
		h.legs = append(h.legs[:0], h.legs[1:]...)
	}
	h.legs = append(h.legs, a.record)
	h.count++
	if !a.leg.Outgoing() {
		a.heardLocked(now)
	}
}

// heardLocked notes the far side's first word: a pause is over.
func (a *attachment) heardLocked(now time.Time) {
	if a.record == nil || !a.record.Heard.IsZero() || a.l.m.over != nil {
		return
	}
	h := &a.l.history
	a.record.Heard = now
	if !h.began.IsZero() {
		a.record.Pause, h.began = now.Sub(h.began), time.Time{}
	}
	h.events = append(h.events, Event{Link: a.l, Leg: *a.record})
}

// endedLocked notes the end of a leg.
func (a *attachment) endedLocked(why error, now time.Time) {
	if a.record == nil || !a.record.Ended.IsZero() {
		return
	}
	a.record.Ended, a.record.End = now, why
	h := &a.l.history
	if a.l.m.cur == nil && h.began.IsZero() && a.l.m.over == nil {
		h.began = now
	}
	h.events = append(h.events, Event{Link: a.l, Leg: *a.record})
}

// releasedLocked notes the end of a leg that this end needs no more.
func (a *attachment) releasedLocked() {
	why := errReplaced
	switch m := a.l.m; {
	case m.over != nil:
		why = m.over
	case a.mleg.asking && m.lostWhy != nil:
		why = m.lostWhy // it was refused
	}
	a.endedLocked(why, time.Now())
}

// sentLocked counts data that has gone onto the leg.
func (a *attachment) sentLocked(n uint64) {
	h := &a.l.history
	a.record.BytesOut += n
	a.bulk.bytes += n
	end := a.l.m.out.next
	if again := min(n, h.highest-min(h.highest, end-n)); again > 0 {
		a.record.Replayed += again
	}
	h.highest = max(h.highest, end)
}

// errReplaced is why a leg ends that another has taken over from.
var errReplaced error = wire.Errorf(wire.Replaced, "another leg took over")
