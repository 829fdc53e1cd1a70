package link

import (
	"fmt"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// receive takes a frame as Links does.
func (n *simNode) receive(c *simCarrier, f simFrame) {
	i := c.side(n)
	l := c.legs[i]
	if n.m != nil {
		n.say("takes of carrier %d: %s", c.num, f)
	}
	switch {
	case f.kind == kindLeave:
		if l != nil {
			c.legs[i] = nil
			c.lines[i].copyLoan()
			l.returned()
			if c.judge[i] != l || l.opener {
				n.m.left(l, n.s.now)
				n.act()
			}
			c.send(n, simFrame{kind: kindLeave})
		}
	case f.kind == kindOpen || f.kind == kindResume:
		if no := n.opened(c, f); no != nil {
			n.refuse(c, *no)
		}
	case l == nil:
	case c.judge[i] == l:
		waits(l, f)
	case f.kind == kindData:
		n.data(l, f.payload)
	default:
		n.control(c, l, f)
	}
}

// waits takes a frame of a leg whose right is being judged: its place counts.
func waits(l *leg, f simFrame) {
	if off, err := parseOffset(f.payload); f.kind == kindSeek && err == nil {
		l.in = off
	}
	if f.kind == kindData && l.in < maxOffset {
		l.in += uint64(len(f.payload))
	}
}

func (n *simNode) control(c *simCarrier, l *leg, f simFrame) {
	i := c.side(n)
	from := c.nodes[1-i]
	r, err := parseResumed(f.payload)
	switch theirs := from == n.far; {
	case !l.asking || !n.m.inUse(l) || (err != nil && f.kind == kindResumed):
	case f.kind == kindRefused && !theirs:
		no, _ := parseRefusal(f.payload)
		n.m.hint = append([]byte(nil), no.hint...)
		n.m.distrust(l, wire.Errorf(no.code, "another node than the link's refused it"), n.s.now)
		n.act()
		return
	case f.kind == kindResumed && !theirs && r.epoch <= n.m.farEpoch:
		n.m.distrust(l, errStranger, n.s.now)
		n.act()
		return
	case f.kind == kindResumed && r.epoch > n.m.farEpoch:
		l.in = cursor(r.from)
		n.judges(c, l, from, r, func() *refusal {
			if r.epoch < n.m.farEpoch || (r.epoch == n.m.farEpoch && from != n.far) || !l.asking || !n.m.inUse(l) {
				return &refusal{code: wire.Moved, gen: n.m.highest()}
			}
			if err := n.m.resumed(l, r, n.s.now); err != nil {
				n.violated(err)
			}
			return nil
		})
		return
	}
	asking := l.asking
	if err := n.m.control(l, f.kind, f.payload, n.s.now); err != nil {
		n.violated(err)
	}
	if f.kind == kindResumed && asking && !l.asking && n.owner() {
		n.s.owns(1-n.at, r.epoch, from)
	}
	n.act()
}

// opened takes an opening. It returns a refusal, or nil.
func (n *simNode) opened(c *simCarrier, f simFrame) *refusal {
	i := c.side(n)
	from := c.nodes[1-i]
	r, err := parseResume(f.payload)
	if f.kind == kindOpen {
		var o opening
		o, err = parseOpening(f.payload)
		r = o.resume()
	}
	switch {
	case err != nil:
		n.s.fault("%v", err)
		return nil
	case n.m == nil && f.kind == kindOpen && n.num == 1:
		n.m = newMachine(n.settings())
		n.run(n.s.apps[n.at])
	case n.m == nil, n.m.over != nil && !n.m.mustTell() && !n.m.moved:
		return &refusal{code: wire.Gone} // it is not on the books
	case f.kind == kindOpen && n.m.dialer:
		return &refusal{code: wire.Taken}
	}
	verdict, no := n.m.judge(r, from == n.far, n.key > from.key)
	if verdict == claimRefused {
		return &no
	}
	if c.again {
		n.s.fault("an opening that was used before is taken again at node %d, from node %d", n.num, from.num)
	}
	l := newLeg(c)
	c.legs[i] = l
	if verdict == claimPlain {
		n.takenUp(c, l, from, r)
		n.act()
		return nil
	}
	l.in = cursor(r.from)
	n.judges(c, l, from, r, func() *refusal {
		if verdict, no := n.m.judge(r, from == n.far, n.key > from.key); verdict == claimRefused {
			return &no
		}
		n.takenUp(c, l, from, r)
		return nil
	})
	return nil
}

// takenUp gives the end a leg that the far side has opened.
func (n *simNode) takenUp(c *simCarrier, l *leg, from *simNode, r resume) {
	if err := n.m.resume(l, r, n.s.now); err != nil {
		n.violated(err)
	}
	c.taken = n
	if n.owner() {
		n.s.owns(1-n.at, r.epoch, from)
	}
}

// judges has the right of a far end to go on from another node judged, which
// takes a while, and then does what follows.
func (n *simNode) judges(c *simCarrier, l *leg, from *simNode, r resume, then func() *refusal) {
	i := c.side(n)
	c.judge[i] = l
	n.s.after(n.s.upTo(100*time.Millisecond), func() {
		if c.judge[i] = nil; c.legs[i] != l || n.dead {
			return
		}
		at := l.in
		no := &refusal{code: wire.Forbidden, gen: n.m.highest()}
		if string(r.token) == from.token() {
			no = then()
		}
		if no != nil {
			n.say("refuses node %d: %s", from.num, no.code)
			if !l.opener {
				n.refuse(c, *no)
			}
			n.m.distrust(l, wire.Errorf(no.code, "another node claimed the far end"), n.s.now)
			n.act()
			return
		}
		n.say("takes node %d for the far end, at epoch %d", from.num, r.epoch)
		if n.owner() {
			n.s.owns(1-n.at, r.epoch, from)
		}
		n.far = from
		l.in = at
		n.m.rewind = true
		n.act()
	})
}

func (n *simNode) token() string { return fmt.Sprintf("node %d may have it", n.num) }

func (n *simNode) refuse(c *simCarrier, r refusal) {
	c.legs[c.side(n)] = nil
	n.s.say("node %d refuses carrier %d: %s", n.num, c.num, r.code)
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
