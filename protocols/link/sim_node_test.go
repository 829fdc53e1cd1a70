package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// simNode is a node that has, or had, one end: what Links and the trunk do for
// a machine.
type simNode struct {
	s      *sim
	num    int // in sim.nodes
	key    int // its peer ID: the larger wins a tie
	at     int
	m      *machine // nil until the end is here
	app    *simApp  // nil when the end is elsewhere
	far    *simNode
	memory simMemory
	move   *simMove // brought the end here
	away   *simMove // takes it away
	owns   bool     // and the far side has taken this node for it
	dead   bool     // crashed
	over   time.Time

	redialing bool
	failures  int // of redials, since the last that found a path
	tickAt    time.Time
}

func (s *sim) newNode(at int) *simNode {
	n := &simNode{s: s, num: len(s.nodes), key: s.rng.IntN(1 << 30), at: at, memory: simMemory{s: s}}
	s.nodes = append(s.nodes, n)
	return n
}

func (n *simNode) settings() settings {
	return settings{id: n.s.id, service: "test", dialer: n.at == 0, grace: simGrace, most: n.s.most[n.at], budget: &n.memory}
}

// owner reports that this node has the end by right, and not merely tries.
func (n *simNode) owner() bool { return n.move == nil || n.owns }

func (n *simNode) say(format string, args ...any) {
	if n.s.log != nil {
		n.s.say("node %d (end %d, %s): "+format, append([]any{n.num, n.at, stepOf(n.m)}, args...)...)
	}
}

// run has the application use the end at this node.
func (n *simNode) run(a *simApp) {
	n.app, a.n = a, n
	n.s.after(0, a.work)
}

// dial makes a carrier and attaches the end to it.
func (n *simNode) dial(to *simNode, planned bool) {
	c := n.s.newCarrier(n, to)
	l := newLeg(c)
	l.strange = to != n.far
	c.legs[0] = l
	n.m.attach(l, planned, n.s.now)
	n.say("attaches to carrier %d to node %d, generation %d", c.num, to.num, l.gen)
	n.act()
	if to.dead || n.s.parted { // a path that only seems to live
		c.silence()
	}
}

// act carries out the effects of what was done to the machine.
func (n *simNode) act() {
	if n.m.fx.round {
		n.m.round(n.s.now, 100*time.Millisecond)
	}
	fx := n.m.take()
	if fx.over {
		n.m.overAt, n.over = n.s.now, n.s.now
		n.say("is over: %v", n.m.over)
		if n.app != nil && !n.m.moved {
			n.app.err = n.m.over
		}
	}
	n.settled()
	for _, l := range fx.released {
		n.leave(l)
	}
	for _, l := range fx.ready {
		if l != nil {
			n.s.after(n.pumpTime(), func() { n.pull(l) })
		}
	}
	if (fx.readable || fx.writable) && n.app != nil {
		n.s.after(n.pumpTime(), n.app.work)
	}
	if fx.redial {
		n.redial()
	}
	if fx.ackLater {
		n.s.after(ackDelay, func() {
			if !n.dead {
				n.m.owed()
				n.act()
			}
		})
	}
	n.arm()
	if n.s.stepped != nil {
		n.s.stepped(n)
	}
}

// pumpTime is how long a goroutine takes to get to its work: mostly none.
func (n *simNode) pumpTime() time.Duration {
	if n.s.rng.IntN(8) == 0 {
		return n.s.upTo(5 * time.Millisecond)
	}
	return 0
}

func (n *simNode) redial() {
	if n.redialing {
		return
	}
	n.redialing = true
	wait := n.s.upTo(20 * time.Millisecond)
	if bad := max(n.failures, n.m.refusals); bad > 0 {
		most := min(redialFirst<<min(bad-1, 10), redialMost)
		wait = most/2 + n.s.upTo(most/2)
	}
	n.s.after(wait, func() {
		n.redialing = false
		if n.dead || !n.m.needsLeg() {
			return
		}
		to := n.resolve()
		switch lives := !to.dead && !n.s.parted; {
		case lives || n.s.rng.IntN(3) == 0:
			n.failures = 0
			n.s.after(n.s.upTo(20*time.Millisecond), func() { // the path is found, the leg is made
				if !n.dead && n.m.takesLeg() {
					n.dial(to, false)
				}
			})
		default:
			n.failures++
			n.s.after(n.s.upTo(redialTime), n.redial)
		}
	})
}

// resolve finds where the far end is: where it has said to have moved, where it
// was, or where a new search finds it.
func (n *simNode) resolve() *simNode {
	if num := n.m.hint; len(num) == 1 && n.s.rng.IntN(4) > 0 {
		if to := n.s.nodes[num[0]]; !to.dead {
			return to
		}
	}
	at := n.s.apps[1-n.at].n
	stale := n.m.refusals < 5 // later a search finds it surely
	if !n.far.dead && stale && n.s.rng.IntN(2) == 0 {
		at = n.far
	} else if !stale || n.s.rng.IntN(2) == 0 || at.dead {
		for _, o := range n.s.nodes { // who claims to have it announces it too
			if o.at != n.at && o.m != nil && !o.dead && o.m.takesLeg() && (at.dead || !stale || n.s.rng.IntN(2) == 0) {
				at = o
			}
		}
	}
	return at
}

// arm sees to the machine's deadline.
func (n *simNode) arm() {
	d := n.m.deadline()
	if d.IsZero() || d.Equal(n.tickAt) {
		return
	}
	n.tickAt = d
	n.s.after(max(0, d.Sub(n.s.now)), func() {
		if !n.tickAt.Equal(d) {
			return
		}
		n.tickAt = time.Time{}
		if !n.dead {
			n.m.tick(n.s.now)
			n.act()
		}
	})
}

func (n *simNode) pull(l *leg) {
	c := l.carrier.(*simCarrier)
	for more := !n.dead; more && c.legs[c.side(n)] == l; {
		c.lines[c.side(n)].copyLoan()
		o := &simOutbox{lends: true, room: maxOpening + n.s.rng.IntN(1+n.s.batch)}
		more = n.m.pull(l, o)
		for _, f := range o.frames {
			if f.kind == kindOpen || f.kind == kindResume {
				c.asked = f
			}
			n.say("sends on carrier %d: %s", c.num, f)
			c.send(n, f)
		}
		n.act()
	}
}

func (n *simNode) leave(l *leg) {
	c := l.carrier.(*simCarrier)
	if i := c.side(n); c.legs[i] == l {
		c.legs[i] = nil
		n.s.after(0, func() { c.send(n, simFrame{kind: kindLeave}) })
	}
}

// crash stops the node for good: nothing of it answers any more.
func (n *simNode) crash() {
	n.say("crashes")
	n.dead = true
	for _, c := range n.s.lines {
		if c.nodes[0] == n || c.nodes[1] == n {
			c.kill([2]time.Duration{n.s.upTo(5 * time.Second), n.s.upTo(5 * time.Second)})
		}
	}
}

func (n *simNode) violated(err error) {
	n.s.fault("end %d at node %d saw a violation: %v", n.at, n.num, err)
	n.m.abort(wire.CodeOf(err), err.Error())
}
