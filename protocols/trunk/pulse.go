package trunk

import "time"

// Times of the watch over the far side's life.
const (
	patience     = 500 * time.Millisecond // for SEEN or PONG, at least
	patienceRTT  = 3                      // the same, in round trips
	patienceMost = time.Second            // at most: with the 4 s of the probe a dead path is closed within 5 s
	pingAfter    = 18 * time.Second       // of silence on a carrier with legs
	doubtEvery   = 5 * time.Second        // which is what a probe of the path takes
	giveUp       = 15 * time.Second       // on a carrier whose path lives
	goAwayTime   = 5 * time.Second        // for the far side to agree on an end
)

// pulse is what a carrier knows of the far side's life.
type pulse struct {
	legs  bool          // there are any
	owed  bool          // the far side owes a SEEN or a PONG
	quiet time.Duration // since there was progress in what is owed, or, if nothing is, since the last byte
	rtt   time.Duration // of the path; 0 if unknown
	idle  time.Duration // after which a carrier without legs ends
	going bool          // this side wants it to end
}

// act is what is to be done about a carrier.
type act string

const (
	rest  act = "rest"
	ping  act = "ping"
	doubt act = "doubt"   // has the path probed; a dead one is closed
	leave act = "go away" // nobody needs the carrier
	end   act = "end"     // it is stuck
)

// judge decides what to do, and when to look again:
//
//	no legs        idle for long            go away
//	               asked for the end        end, after 5 s
//	nothing owed   silent for 18 s          ping
//	owed           for 500 ms, and 3 RTT,   doubt the path, every 5 s
//	               or for a second
//	               for 15 s                 end: the path lives, the carrier does not
func judge(p pulse) (act, time.Duration) {
	wait := max(patience, patienceRTT*p.rtt)
	switch {
	case !p.legs && p.going:
		return after(p.quiet, goAwayTime, end, 0)
	case !p.legs:
		return after(p.quiet, p.idle, leave, goAwayTime)
	case !p.owed:
		return after(p.quiet, pingAfter, ping, wait)
	case p.quiet < min(wait, patienceMost):
		return rest, min(wait, patienceMost) - p.quiet
	case p.quiet < max(giveUp, 2*wait):
		return doubt, doubtEvery
	}
	return end, 0
}

// after is a, and then to be looked at again, once quiet has reached the limit.
func after(quiet, limit time.Duration, a act, then time.Duration) (act, time.Duration) {
	if quiet < limit {
		return rest, limit - quiet
	}
	return a, then
}
