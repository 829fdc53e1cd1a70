package link

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sim runs the machines of one link on carriers that it can delay, kill and
// silence, in a time of its own. Each end has an application, and lives on one
// node after another.
type sim struct {
	rng    *rand.Rand
	start  time.Time
	now    time.Time
	events eventQueue
	order  int
	apps   [2]*simApp // the dialer's first
	nodes  []*simNode
	lines  []*simCarrier
	delay  func() time.Duration // of a new carrier, one way
	parted bool                 // nothing passes between the two ends
	found  string               // the first thing that must not be
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || (q[i].at.Equal(q[j].at) && q[i].order < q[j].order)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// after has something done in a while.
func (s *sim) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, event{s.now.Add(d), s.order, do})
}

// run goes on until nothing is left to happen, or something is wrong.
func (s *sim) run() {
	for len(s.events) > 0 && s.found == "" {
		s.step()
		if s.now.Sub(s.start) > simTime {
			s.fault("the link is still busy after %s", simTime)
		}
	}
}

// step lets the next event happen.
func (s *sim) step() {
	e := heap.Pop(&s.events).(event)
	s.now = e.at
	e.do()
}

// up to d, at random.
func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d) + 1)) }

// simCarrier is a pair of one-way lines between two nodes, with a leg at each.
type simCarrier struct {
	s     *sim
	delay time.Duration
	dead  bool
	mute  bool // takes frames and loses them
	nodes [2]*simNode
	legs  [2]*leg
	free  [2]time.Time // when each line has delivered what it took
	asked simFrame     // the frame that began it
}

type simFrame struct {
	kind    kind
	payload []byte
}

// kindLeave stands for the trunk's LEAVE.
const kindLeave kind = 1

func (c *simCarrier) side(n *simNode) int {
	if c.nodes[0] == n {
		return 0
	}
	return 1
}

func (c *simCarrier) lost() bool {
	return c.dead || c.mute || c.s.parted || c.nodes[0].dead || c.nodes[1].dead
}

// send puts a frame on the line of one side.
func (c *simCarrier) send(from *simNode, f simFrame) {
	if c.lost() {
		return
	}
	i := c.side(from)
	at := c.s.now.Add(c.delay)
	if at.Before(c.free[i]) {
		at = c.free[i]
	}
	c.free[i] = at
	c.s.after(at.Sub(c.s.now), func() {
		if !c.lost() {
			c.nodes[1-i].receive(c, f)
		}
	})
}

// kill ends a carrier; each side hears of it after a while of its own.
func (c *simCarrier) kill(hear [2]time.Duration) {
	if c.dead {
		return
	}
	c.dead = true
	for i, d := range hear {
		c.s.after(d, func() {
			if l := c.legs[i]; l != nil && !c.nodes[i].dead {
				c.legs[i] = nil
				c.nodes[i].m.lost(l, wire.Errorf(wire.Unreachable, "the carrier was killed"), c.s.now)
				c.nodes[i].act()
			}
		})
	}
}

// silence makes a carrier take frames and lose them. Both sides find out, as
// the trunk sees to.
func (c *simCarrier) silence() {
	c.mute = true
	c.s.after(c.s.upTo(5*time.Second), func() { c.kill([2]time.Duration{0, c.s.upTo(5 * time.Second)}) })
}

// simOutbox collects what one pull gives.
type simOutbox struct {
	room   int
	frames []simFrame
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
	o.frames = append(o.frames, simFrame{k, append([]byte(nil), b[from:]...)})
	clear(b[from-trunk.HeadRoom : from]) // as the trunk may
	o.room = 0
}

type plentyOfMemory struct{}

func (plentyOfMemory) reserve(uint64) bool { return true }
func (plentyOfMemory) release(uint64)      {}

// newSim opens a link over which each side sends so many bytes.
func newSim(seed, up, down uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 4))
	s := &sim{rng: rng, now: time.Unix(1_000_000, 0)}
	s.start = s.now
	s.delay = func() time.Duration { return time.Duration(1+rng.IntN(60)) * time.Millisecond }
	id := ID{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)}
	for at, bytes := range [2]uint64{up, down} {
		s.apps[at] = &simApp{s: s, at: at, toWrite: bytes, readSize: 1 + rng.IntN(20000), closing: true}
		n := s.newNode(at)
		n.m = newMachine(settings{id: id, service: "test", dialer: at == 0, grace: simGrace, most: simMost, budget: plentyOfMemory{}})
		n.run(s.apps[at])
	}
	s.apps[0].toRead, s.apps[1].toRead = down, up
	s.nodes[0].far, s.nodes[1].far = s.nodes[1], s.nodes[0]
	s.nodes[0].dial(s.nodes[1], false)
	return s
}

const (
	simGrace = time.Minute
	simMost  = 1 << 20
	simTime  = 10 * time.Minute
)
