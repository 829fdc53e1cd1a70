package link

import (
	"fmt"
	"time"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// simCarrier is a pair of one-way lines between two nodes, with a leg at each.
// A line brings all frames in order, or none after a certain one.
type simCarrier struct {
	s     *sim
	num   int
	delay time.Duration
	dead  bool
	mute  bool      // takes frames and loses them
	late  bool      // dead, and brings all the same what was on its way
	deaf  [2]bool   // this side has heard that it is dead
	still time.Time // nothing arrives before
	nodes [2]*simNode
	legs  [2]*leg
	judge [2]*leg // whose right is being judged at that side
	lines [2]simLine
	asked simFrame // the frame that began it
	taken *simNode // has taken that
	again bool     // and it was sent before
}

// simLine is what goes from one side to the other.
type simLine struct {
	frames []*simFrame
	loan   *simFrame // whose payload is lent until the leg is called again
	last   time.Time // when the last one arrives
	held   int       // arrivals that wait for the network to be whole again
}

type simFrame struct {
	kind    kind
	payload []byte
}

// kindLeave stands for the trunk's LEAVE.
const kindLeave kind = 1

func (s *sim) newCarrier(from, to *simNode) *simCarrier {
	c := &simCarrier{s: s, num: len(s.lines), delay: s.delay(), nodes: [2]*simNode{from, to}}
	s.lines = append(s.lines, c)
	return c
}

func (c *simCarrier) side(n *simNode) int {
	if c.nodes[0] == n {
		return 0
	}
	return 1
}

// send puts a frame on the line of one side.
func (c *simCarrier) send(from *simNode, f simFrame) {
	if c.dead || c.mute || from.dead {
		return
	}
	i := c.side(from)
	line := &c.lines[i]
	line.frames = append(line.frames, &f)
	line.loan = &f
	if at := c.s.now.Add(c.delay); at.After(line.last) {
		line.last = at
	}
	c.s.after(line.last.Sub(c.s.now), func() { c.arrive(i) })
}

// copyLoan ends the loan of a frame's payload, as the trunk does when it has
// written it.
func (l *simLine) copyLoan() {
	if l.loan != nil {
		l.loan.payload, l.loan = append([]byte(nil), l.loan.payload...), nil
	}
}

// arrive brings the next frame of a line.
func (c *simCarrier) arrive(i int) {
	line := &c.lines[i]
	switch {
	case c.mute, c.dead && !c.late, c.deaf[1-i], c.nodes[1-i].dead:
		return
	case c.s.parted:
		line.held++
		return
	case c.s.now.Before(c.still):
		c.s.after(c.still.Sub(c.s.now), func() { c.arrive(i) })
		return
	}
	f := line.frames[0]
	line.frames = line.frames[1:]
	c.nodes[1-i].receive(c, *f)
}

// kill ends a carrier; each side hears of it after a while of its own.
func (c *simCarrier) kill(hear [2]time.Duration) {
	if c.dead {
		return
	}
	c.dead, c.late = true, c.s.rng.IntN(2) == 0
	for i, d := range hear {
		c.s.after(d, func() { c.hear(i) })
	}
}

// hear tells one side that the carrier is dead.
func (c *simCarrier) hear(i int) {
	c.deaf[i] = true
	l, n := c.legs[i], c.nodes[i]
	if l == nil || n.dead {
		return
	}
	c.legs[i] = nil
	c.lines[i].copyLoan()
	l.returned()
	if c.judge[i] == l && !l.opener {
		return
	}
	n.say("hears that carrier %d is dead", c.num)
	if l.asking {
		n.m.refusals++
	}
	n.m.lost(l, wire.Errorf(wire.Unreachable, "the carrier was killed"), c.s.now)
	n.act()
}

// silence makes a carrier take frames and lose them. Both sides find out, as
// the trunk sees to.
func (c *simCarrier) silence() {
	c.mute = true
	c.s.after(c.s.upTo(5*time.Second), func() { c.kill([2]time.Duration{0, c.s.upTo(5 * time.Second)}) })
}

// part has nothing pass for a while, and no dial succeed. What was on its way
// arrives after, unless either side has given the carrier up before.
func (s *sim) part(d time.Duration) {
	if s.parted {
		return
	}
	s.parted = true
	for _, c := range s.lines {
		if c.dead || c.mute {
			continue
		}
		notices := [2]time.Duration{time.Second + s.upTo(5*time.Second), time.Second + s.upTo(5*time.Second)}
		first := min(notices[0], notices[1])
		if first >= d {
			continue
		}
		s.after(first, func() {
			for i := range notices { // whoever has not noticed gets a reset once the network is whole
				notices[i] = min(notices[i], d+c.delay) - first
			}
			c.kill(notices)
		})
	}
	s.after(d, s.heal)
}

func (s *sim) heal() {
	s.parted = false
	for _, c := range s.lines {
		for i := range c.lines {
			for ; c.lines[i].held > 0; c.lines[i].held-- {
				s.after(0, func() { c.arrive(i) })
			}
		}
	}
}

// spike has everything on a carrier arrive late.
func (c *simCarrier) spike(d time.Duration) { c.still = c.s.now.Add(d) }

// simOutbox collects what one pull gives.
type simOutbox struct {
	room   int
	frames []simFrame
	lends  bool // what is lent stays the machine's memory, until copyLoan
}

func (o *simOutbox) Room() int { return max(0, o.room) }

func (o *simOutbox) Frame(k kind, n int) []byte {
	if n > o.room {
		panic("a frame is larger than there is room")
	}
	b := make([]byte, n)
	o.room -= n + 8
	o.frames = append(o.frames, simFrame{k, b})
	return b
}

func (o *simOutbox) Lend(k kind, b []byte, from int) {
	if n := len(b) - from; n > o.room {
		panic("a frame is larger than there is room")
	}
	payload := b[from:]
	if !o.lends {
		payload = append([]byte(nil), payload...)
	}
	o.frames = append(o.frames, simFrame{k, payload})
	clear(b[from-trunk.HeadRoom : from]) // as the trunk may
	o.room = 0
}

// simMemory is the budget of a node.
type simMemory struct {
	s    *sim
	used int64
}

func (m *simMemory) reserve(n uint64) bool {
	if m.s.denied {
		return false
	}
	m.used += int64(n)
	return true
}

func (m *simMemory) release(n uint64) { m.used -= int64(n) }

var frameNames = map[kind]string{
	kindLeave: "LEAVE", kindOpen: "OPEN", kindResume: "RESUME", kindResumed: "RESUMED", kindRefused: "REFUSED", kindData: "DATA",
	kindSeek: "SEEK", kindAck: "ACK", kindFin: "FIN", kindStop: "STOP", kindReset: "RESET", kindRewind: "REWIND", kindClose: "CLOSE",
}

// String shows a frame in a trace.
func (f simFrame) String() string {
	switch f.kind {
	case kindData:
		return fmt.Sprintf("DATA %d", len(f.payload))
	case kindResume, kindResumed:
		b := f.payload
		if f.kind == kindResume {
			b = b[IDSize:]
		}
		r, _ := parseResumed(b)
		return fmt.Sprintf("%s gen %d flags %d epochs %d %d marks %d from %d", frameNames[f.kind], r.gen, r.flags, r.epoch, r.farEpoch, r.marks, r.from)
	case kindRefused:
		r, _ := parseRefusal(f.payload)
		return fmt.Sprintf("REFUSED %s gen %d", r.code, r.gen)
	case kindAck:
		m, _ := parseAck(f.payload)
		return fmt.Sprintf("ACK %d", m)
	case kindSeek, kindFin, kindRewind:
		off, _ := parseOffset(f.payload)
		return fmt.Sprintf("%s %d", frameNames[f.kind], off)
	}
	return frameNames[f.kind]
}

type plentyOfMemory struct{}

func (plentyOfMemory) reserve(uint64) bool { return true }
func (plentyOfMemory) release(uint64)      {}
