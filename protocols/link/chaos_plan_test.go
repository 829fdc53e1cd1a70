package link

import (
	"slices"
	"time"
)

// plannedFaults is how many faults each run is to see at a certain step, besides
// those at random. The first has a while to itself, so that a few hundred runs
// see every fault at every step.
const plannedFaults = 3

// leadTime is how long that is at most.
const leadTime = 3 * time.Second

// pureIndex numbers the seeds of pure runs, so that every cell has its turn.
func pureIndex(seed uint64) int { return int(seed - seed/hostsEvery) }

// prepare sees to it that there is something to strike at the first step.
func (r *chaosRun) prepare() {
	for _, a := range r.apps {
		switch r.plan[0].at {
		case stepOpening, stepAttached:
		case stepEnding:
			a.turn = 0
		default:
			a.turn = 1 + a.toWrite/100
		}
	}
}

// harass leads the ends to the steps at which something is planned, and lets
// other things happen at random in some seconds.
func (r *chaosRun) harass() {
	for range r.rng.IntN(16) {
		r.after(r.upTo(3*time.Second), r.atRandom)
	}
	for i := range 40 {
		r.after(time.Duration(i)*80*time.Millisecond+r.upTo(80*time.Millisecond), r.lead)
	}
	r.after(leadTime, func() { r.first = true })
}

// atRandom does something to an end, or waits for the first of the plan.
func (r *chaosRun) atRandom() {
	if !r.first {
		r.after(r.upTo(time.Second), r.atRandom)
		return
	}
	r.strike(r.apps[r.rng.IntN(2)].n.latest(), fault(r.rng.IntN(int(faultReset))))
}

// next is what of the plan may strike now.
func (r *chaosRun) next() []cell { return r.plan[:min(len(r.plan), r.most())] }

func (r *chaosRun) most() int {
	if r.first {
		return plannedFaults
	}
	return 1
}

// lead brings an end nearer to what is planned.
func (r *chaosRun) lead() {
	n := r.apps[r.rng.IntN(2)].n.latest()
	for _, c := range slices.Clone(r.next()) {
		r.leadTo(n, c)
	}
}

func (r *chaosRun) leadTo(n *simNode, c cell) {
	lives := n.m != nil && n.m.cur != nil && n.m.heard && n.m.over == nil
	switch c.at {
	case stepAsking, stepDetached:
		if r.rng.IntN(2) == 0 && c.at == stepAsking {
			r.strike(n, faultRedial)
		} else if lives {
			n.m.cur.carrier.(*simCarrier).kill([2]time.Duration{})
		}
	case stepPlanned, stepDraining:
		if lives && n.m.ask == nil {
			r.strike(n, faultPlanned)
		}
	case stepFrozen:
		if c.f == faultRival || c.f == faultCrashExported {
			r.strike(n, faultMove)
		} else {
			r.strike(n, faultFreeze)
		}
	case stepImporting:
		r.strike(n, faultMove)
	}
}

// ambush strikes as planned when an end has come to the step.
func (r *chaosRun) ambush(n *simNode) {
	at := stepOf(n.m)
	for i, c := range r.next() {
		if c.at != at || n.dead {
			continue
		}
		r.plan = slices.Delete(slices.Clone(r.plan), i, i+1)
		wait := r.upTo(3 * time.Millisecond)
		if at == stepDraining { // it may be over soon
			wait = 0
		}
		r.after(wait, func() { r.springs(n, c) })
		return
	}
}

// springs strikes, or waits for another opportunity.
func (r *chaosRun) springs(n *simNode, c cell) {
	if stepOf(n.m) == c.at && !n.dead && r.strike(n, c.f) {
		r.first = true
		return
	}
	r.plan = slices.Insert(r.plan, 0, c)
}
