package replica

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Tail is how many entries a device at most asks for when it meets a log, before
// it takes the rest backwards.
const Tail = 32

// Run is what a device holds of a log: the counters Low to High, and the tag of
// High. Nothing is High = Low-1. The zero Run is of a log never met.
type Run struct {
	Low, High uint64
	Tag       Tag
}

// Empty reports that no entry is held.
func (r Run) Empty() bool { return r.High+1 == r.Low || r.Low == 0 }

// covers reports that r holds all that o holds.
func (r Run) covers(o Run) bool { return r.Low <= o.Low && r.High >= o.High }

// newer reports that a device that held o may by now hold r. Runs grow, and an
// empty one may begin lower.
func (r Run) newer(o Run) bool {
	switch {
	case o.Low == 0:
		return true
	case o.Empty() && r.Empty():
		return r.Low < o.Low
	case o.Empty() || r.Empty():
		return o.Empty()
	}
	return r != o && r.covers(o)
}

// Useless reports that a device that holds the empty run r gets nothing from one
// that holds o, unless it begins lower: at o.Begin.
func (r Run) Useless(o Run) bool {
	return r.Low == 0 || r.Empty() && !o.Empty() && o.High+1 < r.Low
}

// Begin is the empty run with which a device begins that meets a log of which
// another holds r.
func (r Run) Begin() Run {
	low := r.Low
	if r.High >= Tail {
		low = max(low, r.High-Tail+1)
	}
	return Run{Low: low, High: low - 1}
}

// Log is what a device knows of a log that it holds a run of.
type Log struct {
	Low, High           uint64 // as in Run
	LowID, HighID       ID     // of the entries there; zero while nothing is held
	LowPlace, HighPlace Stamp
}

// Run returns the log's run.
func (l Log) Run() Run {
	r := Run{Low: l.Low, High: l.High}
	if !r.Empty() {
		r.Tag = l.HighID.Tag()
	}
	return r
}

// Verdict is what becomes of an entry that is to be held.
type Verdict uint8

// The verdicts.
const (
	Stored   Verdict = iota + 1 // new, and now held
	Repeated                    // held already
	Forked                      // its counter is held with another ID, or its stamp does not rise with it
	Altered                     // its ID is held with another content
	Apart                       // it does not adjoin the run
	Full                        // there is no room for more of the conversation
)

// Err is the word for what no honest device sends, nil for all else.
func (v Verdict) Err() error {
	switch v {
	case Altered:
		return wire.Errorf(wire.BadRequest, "an entry's ID is used for another content")
	case Apart:
		return wire.Errorf(wire.BadRequest, "an entry does not follow those before it")
	}
	return nil
}

// Admit decides about an entry. For Repeated the caller compares it with the one
// that is held.
func (l Log) Admit(e *Entry) Verdict {
	empty := l.Run().Empty()
	switch {
	case l.Low == 0:
		return Apart
	case e.Counter >= l.Low && e.Counter <= l.High:
		return Repeated
	case e.Counter == l.High+1:
		if !empty && e.ID.Stamp() <= l.HighID.Stamp() {
			return Forked
		}
		return Stored
	case e.Counter == l.Low-1 && !empty:
		if e.ID.Stamp() >= l.LowID.Stamp() {
			return Forked
		}
		return Stored
	}
	return Apart
}

// Extend returns the log with an admitted entry, and the entry's place: its ID,
// or the like with another stamp where its own is out of bounds.
func (l Log) Extend(e *Entry, now time.Time) (Log, ID) {
	stamp := e.ID.Stamp()
	if !stamp.Within(now) {
		stamp = StampAt(now)
	}
	if e.Counter < l.Low {
		stamp = min(stamp, max(l.LowPlace, 1)-1)
		l.Low, l.LowID, l.LowPlace = e.Counter, e.ID, stamp
	} else {
		empty := l.Run().Empty()
		if !empty {
			stamp = max(stamp, l.HighPlace+1)
		}
		l.High, l.HighID, l.HighPlace = e.Counter, e.ID, stamp
		if empty {
			l.LowID, l.LowPlace = e.ID, stamp
		}
	}
	place := e.ID
	copy(place[:8], stamped(stamp))
	return l, place
}

func stamped(s Stamp) []byte {
	id := MakeID(s, 0)
	return id[:8]
}
