package link

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// simNode is a node that has, or had, one end: what Links and the trunk do for
// a machine.
type simNode struct {
	s    *sim
	num  int // also its peer ID: the larger wins a tie
	at   int
	m    *machine
	app  *simApp // nil when the end is elsewhere
	far  *simNode
	dead bool // crashed

	redialing bool
	tickAt    time.Time
}

func (s *sim) newNode(at int) *simNode {
	n := &simNode{s: s, num: s.rng.IntN(1 << 30), at: at}
	s.nodes = append(s.nodes, n)
	return n
}

// run has the application use the end at this node.
func (n *simNode) run(a *simApp) {
	n.app, a.n = a, n
	n.s.after(0, a.work)
}

// dial makes a carrier and attaches the end to it.
func (n *simNode) dial(to *simNode, planned bool) {
	c := &simCarrier{s: n.s, delay: n.s.delay(), nodes: [2]*simNode{n, to}}
	l := newLeg(c)
	c.legs[0] = l
	n.s.lines = append(n.s.lines, c)
	n.m.attach(l, planned, n.s.now)
	n.act()
	if to.dead || n.s.parted { // nobody answers: the dial fails after a while
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
		n.m.overAt = n.s.now
		if n.app != nil && !n.m.moved {
			n.app.err = n.m.over
		}
	}
	for _, l := range fx.released {
		n.leave(l)
	}
	for _, l := range fx.ready {
		if l != nil {
			n.s.after(0, func() { n.pull(l) })
		}
	}
	if (fx.readable || fx.writable) && n.app != nil {
		n.s.after(0, n.app.work)
	}
	if fx.redial {
		n.redial()
	}
	if fx.ackLater {
		n.s.after(ackDelay, func() { n.m.owed(); n.act() })
	}
	n.arm()
}

func (n *simNode) redial() {
	if n.redialing {
		return
	}
	n.redialing = true
	wait := n.s.upTo(50 * time.Millisecond)
	if n.m.refusals > 0 {
		wait += min(redialFirst<<min(n.m.refusals, 10), redialMost)
	}
	n.s.after(wait, func() {
		n.redialing = false
		if n.dead || !n.m.needsLeg() {
			return
		}
		if num := n.m.hint; len(num) == 1 { // it has moved, and said where
			n.dial(n.s.nodes[num[0]], false)
			n.m.hint = nil
			return
		}
		to := n.far
		if now := n.s.apps[1-n.at].n; to.dead && now != nil { // as a new resolve finds
			to = now
		}
		n.dial(to, false)
	})
}

// arm sees to the machine's deadline.
func (n *simNode) arm() {
	d := n.m.deadline()
	if d.IsZero() || d.Equal(n.tickAt) {
		return
	}
	n.tickAt = d
	n.s.after(max(0, d.Sub(n.s.now)), func() {
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
		o := &simOutbox{room: maxOpening + n.s.rng.IntN(60000)}
		more = n.m.pull(l, o)
		for _, f := range o.frames {
			if f.kind == kindOpen || f.kind == kindResume {
				c.asked = f
			}
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

// receive takes a frame as Links does.
func (n *simNode) receive(c *simCarrier, f simFrame) {
	i := c.side(n)
	l := c.legs[i]
	switch {
	case f.kind == kindLeave:
		if l != nil {
			c.legs[i] = nil
			n.m.left(l, n.s.now)
			n.act()
			c.send(n, simFrame{kind: kindLeave})
		}
	case f.kind == kindOpen || f.kind == kindResume:
		n.opened(c, f)
	case l == nil:
	case f.kind == kindData:
		n.data(l, f.payload)
	default:
		n.control(c, l, f)
	}
}

func (n *simNode) control(c *simCarrier, l *leg, f simFrame) {
	if r, err := parseResumed(f.payload); f.kind == kindResumed && err == nil && l.asking && n.m.inUse(l) && r.epoch >= n.m.farEpoch {
		n.far = c.nodes[1-c.side(n)]
	}
	if err := n.m.control(l, f.kind, f.payload, n.s.now); err != nil {
		n.violated(err)
	}
	n.act()
}

func (n *simNode) violated(err error) {
	n.s.fault("end %d at node %d saw a violation: %v", n.at, n.num, err)
	n.m.abort(wire.CodeOf(err), err.Error())
}

func (n *simNode) opened(c *simCarrier, f simFrame) {
	i := c.side(n)
	l := newLeg(c)
	c.legs[i] = l
	r, err := parseResume(f.payload)
	if f.kind == kindOpen {
		var o opening
		o, err = parseOpening(f.payload)
		r = o.resume()
	}
	if err != nil {
		n.s.fault("%v", err)
		return
	}
	from := c.nodes[1-i]
	if n.m.over != nil && !n.m.mustTell() && !n.m.moved {
		n.refuse(c, refusal{code: wire.Gone}) // it is off the books
		return
	}
	verdict, no := n.m.judge(r, from == n.far, n.num > from.num)
	if verdict == claimRefused {
		n.refuse(c, no)
		return
	}
	n.far = from
	if err := n.m.resume(l, r, n.s.now); err != nil {
		n.violated(err)
	}
	n.act()
}

func (n *simNode) refuse(c *simCarrier, r refusal) {
	c.legs[c.side(n)] = nil
	c.send(n, simFrame{kindRefused, r.append(nil)})
	c.send(n, simFrame{kind: kindLeave})
}

func (n *simNode) data(l *leg, b []byte) {
	off, counts, err := n.m.place(l, len(b))
	switch {
	case err != nil:
		n.violated(err)
	case counts && len(b) <= 4096:
		n.m.in.takeBytes(off, b)
		n.m.arrived(n.s.now)
	case counts:
		c := newChunk(len(b))
		n.m.in.take(off, c, copy(c.b, b))
		n.m.arrived(n.s.now)
	}
	n.act()
}

// move freezes the end and has it go on at another node. A crash lets nothing
// of the old node answer after.
func (n *simNode) move(crash bool) {
	if n.app == nil || n.m.over != nil || n.m.frozen || n.dead || !n.m.heard {
		return
	}
	n.m.freeze()
	n.act()
	exported := n.m.export(peer.ID("from"), peer.ID("far")).append(nil)
	to := n.s.newNode(n.at)
	number := len(n.s.nodes) - 1
	if crash {
		n.dead = true
		for _, c := range n.s.lines {
			if c.nodes[0] == n || c.nodes[1] == n {
				c.kill([2]time.Duration{0, n.s.upTo(5 * time.Second)})
			}
		}
	}
	n.s.after(n.s.upTo(3*time.Second), func() { to.takeOver(n, exported, number) })
}

// takeOver imports the end that another node exported.
func (to *simNode) takeOver(n *simNode, exported []byte, number int) {
	st, err := parseState(exported, simMost)
	if err != nil {
		to.s.fault("%v", err)
		return
	}
	if n.m.over != nil { // the far side reset it meanwhile
		return
	}
	to.far = n.far
	to.m = restore(st, settings{
		id: st.id, service: st.service, dialer: st.has(stateDialer), grace: simGrace, most: simMost, budget: plentyOfMemory{},
	}, []byte("token"))
	if !n.dead {
		n.m.exported([]byte{byte(number)})
		n.act()
	}
	app := n.app
	n.app = nil
	to.run(app)
	to.m.detach(errImported, to.s.now)
	to.act()
}
