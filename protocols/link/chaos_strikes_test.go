package link

import (
	"time"
)

// does is what each fault does to an end. It returns false if it cannot be done
// just now.
func (r *chaosRun) does(n *simNode, f fault) bool {
	switch f {
	case faultKill, faultSilence, faultSpike:
		return r.hitsCarrier(n, f)
	case faultShortPartition:
		return r.parts(200*time.Millisecond + r.upTo(600*time.Millisecond))
	case faultLongPartition:
		return r.parts(7*time.Second + r.upTo(8*time.Second))
	case faultOutage:
		return r.dies(&r.outage) && r.cut(simGrace+20*time.Second)
	case faultDuplicate, faultStranger:
		return r.repeats(n, f == faultStranger)
	case faultPlanned, faultRedial:
		return r.changes(n, f == faultPlanned)
	case faultAddress:
		return r.renumbers(n)
	case faultNoMemory:
		r.denied = true
		r.after(r.upTo(2*time.Second), func() { r.denied = false })
	case faultClose:
		return r.closes(n)
	case faultReset:
		return r.resets(n)
	case faultCrash:
		return r.crashes(n)
	default:
		return r.moving(n, f)
	}
	return true
}

// hitsCarrier does something to a carrier that an end uses.
func (r *chaosRun) hitsCarrier(n *simNode, f fault) bool {
	var used []*simCarrier
	for _, l := range append([]*leg{n.m.cur, n.m.ask}, n.m.old...) {
		if l != nil && !l.carrier.(*simCarrier).dead {
			used = append(used, l.carrier.(*simCarrier))
		}
	}
	if len(used) == 0 {
		return false
	}
	c := used[r.rng.IntN(len(used))]
	n.say("%s of carrier %d", f, c.num)
	switch f {
	case faultKill:
		c.kill([2]time.Duration{r.upTo(2 * time.Second), r.upTo(2 * time.Second)})
	case faultSilence:
		c.silence()
	default:
		c.spike(r.upTo(2 * time.Second))
	}
	return true
}

// most of the time of grace that a run may spend without a network.
const mostParted = 25 * time.Second

func (r *chaosRun) parts(d time.Duration) bool { return r.parting+d <= mostParted && r.cut(d) }

func (r *chaosRun) cut(d time.Duration) bool {
	if r.parted {
		return false
	}
	r.say("nothing passes for %s", d)
	r.parting += d
	r.part(d)
	return true
}

// dies notes that the link may end from now on.
func (r *chaosRun) dies(how *bool) bool {
	*how, r.fatalAt = true, r.now
	return true
}

// repeats sends an opening that the end, or whoever had it before, has taken,
// on a new carrier.
func (r *chaosRun) repeats(n *simNode, stranger bool) bool {
	var used []*simCarrier
	for _, c := range r.lines {
		if c.taken != nil && c.taken.at == n.at && (c.taken == n || c.taken.owner()) && !c.nodes[0].dead {
			used = append(used, c)
		}
	}
	if len(used) == 0 || r.parted {
		return false
	}
	old := used[r.rng.IntN(len(used))]
	from := old.nodes[0]
	if stranger {
		from = r.newNode(1 - n.at)
	}
	c := r.newCarrier(from, n)
	n.say("an opening of carrier %d comes again, from node %d on carrier %d", old.num, from.num, c.num)
	c.again = true
	c.send(from, old.asked)
	return true
}

// changes gives an end another leg, of its own will.
func (r *chaosRun) changes(n *simNode, planned bool) bool {
	if planned && n.m.cur == nil {
		return false
	}
	n.dial(n.far, planned)
	return true
}

// renumbers gives a node another address: it hears at once that all its carriers
// are dead, and the far side late.
func (r *chaosRun) renumbers(n *simNode) bool {
	n.say("has another address")
	for _, c := range r.lines {
		if i := c.side(n); c.nodes[i] == n && !c.dead {
			hear := [2]time.Duration{}
			hear[1-i] = r.upTo(20 * time.Second)
			c.kill(hear)
		}
	}
	r.after(0, func() {
		if !n.dead {
			n.m.addressChanged(r.now)
			n.act()
		}
	})
	return true
}

// closes closes the link early, at a moment when the application can.
func (r *chaosRun) closes(n *simNode) bool {
	if n.app.left || (n.m.frozen && n.away != nil) {
		return false
	}
	n.say("closes")
	n.app.leave()
	return true
}

// resets ends the link by force. A reset at the end changes nothing.
func (r *chaosRun) resets(n *simNode) bool {
	if n.m.frozen && n.away != nil {
		return false
	}
	n.say("resets")
	if n.m.over == nil {
		r.dies(&r.reset)
	}
	n.app.left = true // and reads no more
	n.m.abort(simReset, "chaos")
	n.m.freeUnread()
	n.act()
	return true
}

// crashes stops a node, and nobody goes on with its end.
func (r *chaosRun) crashes(n *simNode) bool {
	if (n.m.frozen && n.away != nil) || (n.move != nil && !n.owns) {
		for mv := n.away; mv != nil; mv = nil {
			mv.over = true
		}
		if n.move != nil {
			n.move.over = true
		}
	}
	r.dies(&r.crashed)
	n.crash()
	return true
}

// moving has an end go to another node, one way or another.
func (r *chaosRun) moving(n *simNode, f fault) bool {
	wait := r.upTo(3 * time.Second)
	if r.judging(n) {
		return false
	}
	switch f {
	case faultFreeze:
		return n.movable() && r.freezes(n)
	case faultMove:
		return n.movable() && n.moves(moveOptions{wait: wait}) != nil
	case faultCrashExported:
		if n.m.frozen && n.away != nil && !n.away.over {
			n.crash()
			return true
		}
		return n.movable() && n.moves(moveOptions{wait: wait, crash: true}) != nil
	case faultBothMove:
		far := r.apps[1-n.at].n.latest()
		if !n.movable() || !far.movable() {
			return false
		}
		n.moves(moveOptions{wait: wait})
		far.moves(moveOptions{wait: r.upTo(3 * time.Second)})
		return true
	case faultRival:
		return r.rivalImports(n, wait)
	}
	mv := n.move
	if mv == nil || mv.over || mv.owner != nil || n.away != nil || !n.m.claiming {
		return false
	}
	mv.again()
	return true
}

// judging reports that the far end of an end is being imported by rivals. An end
// that is itself not taken yet could grant one what another is granted later by
// its own successor; so it must stay until they are told apart.
func (r *chaosRun) judging(n *simNode) bool {
	return r.rivals != nil && r.rivals.owner == nil && r.rivals.from.at != n.at
}

// rivalImports has several nodes import one state. Both ends at once would need a
// judge that is not being moved.
func (r *chaosRun) rivalImports(n *simNode, wait time.Duration) bool {
	far := r.apps[1-n.at].n.latest()
	if far.m == nil || far.m.claiming || far.m.frozen || r.rivals != nil {
		return false
	}
	if mv := n.away; n.m.frozen && mv != nil && !mv.over && mv.owner == nil && mv.waits {
		r.rivals = mv
		mv.rivals++
		r.after(wait, mv.arrives)
		return true
	}
	if !n.movable() {
		return false
	}
	r.rivals = n.moves(moveOptions{wait: wait, rivals: 1 + r.rng.IntN(2), crash: r.rng.IntN(2) == 0})
	return true
}

// freezes stops an end for a while.
func (r *chaosRun) freezes(n *simNode) bool {
	n.say("freezes")
	n.m.freeze()
	n.act()
	r.after(r.upTo(2*time.Second), func() {
		if n.dead || n.away != nil {
			return
		}
		n.say("thaws")
		n.m.thaw(r.now)
		n.act()
	})
	return true
}
