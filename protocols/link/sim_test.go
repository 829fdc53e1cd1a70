package link

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
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
	id     ID
	most   [2]uint64  // to which the buffers of each end may grow
	apps   [2]*simApp // that have the ends, the dialer's first
	nodes  []*simNode
	lines  []*simCarrier
	owners [2]map[uint64]*simNode // of each end, by epoch: whom the far side has taken for it
	delay  func() time.Duration   // of a new carrier, one way
	parted bool                   // nothing passes between the two ends
	batch  int                    // most room of one pull beyond that for an opening
	denied bool                   // no node has memory to give
	found  string                 // the first thing that must not be
	log    func(text string)      // nil for nobody

	stepped func(n *simNode) // is told when the end at a node may have changed; nil for nobody
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

const (
	simGrace  = time.Minute
	simMost   = 1 << 20
	simTime   = 10 * time.Minute
	simEvents = 3_000_000 // of one run; more than that goes round in a circle
)

// newSim opens a link over which each side sends so many bytes.
func newSim(seed, up, down uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 4))
	s := &sim{rng: rng, now: time.Unix(1_000_000, 0), most: [2]uint64{simMost, simMost}, batch: 60000}
	s.start = s.now
	s.delay = func() time.Duration { return time.Duration(1+rng.IntN(60)) * time.Millisecond }
	s.id = ID{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)}
	for at, bytes := range [2]uint64{up, down} {
		s.owners[at] = make(map[uint64]*simNode)
		s.apps[at] = &simApp{s: s, at: at, toWrite: bytes, readSize: 1 + rng.IntN(20000), closing: true}
		s.newNode(at)
	}
	s.apps[0].toRead, s.apps[1].toRead = down, up
	return s
}

// open has the dialer open the link.
func (s *sim) open() {
	a, b := s.nodes[0], s.nodes[1]
	a.far, b.far = b, a
	s.owners[0][0], s.owners[1][0] = a, b
	s.apps[1].n = b
	a.m = newMachine(a.settings())
	a.run(s.apps[0])
	a.dial(b, false)
}

// after has something done in a while.
func (s *sim) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, event{s.now.Add(d), s.order, do})
}

// run goes on until nothing is left to happen, or something is wrong.
func (s *sim) run() {
	for events := 0; len(s.events) > 0 && s.found == ""; events++ {
		s.step()
		if s.now.Sub(s.start) > simTime || events > simEvents {
			s.fault("the link is still busy after %s and %d events", s.now.Sub(s.start), events)
		}
	}
}

// step lets the next event happen.
func (s *sim) step() {
	e := heap.Pop(&s.events).(event)
	s.now = e.at
	e.do()
}

// upTo d, at random.
func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d) + 1)) }

// fault notes what must not be.
func (s *sim) fault(format string, args ...any) {
	if s.found == "" {
		s.found = fmt.Sprintf(format, args...)
		s.say("FAULT: %s", s.found)
	}
}

// say tells whoever reads the trace.
func (s *sim) say(format string, args ...any) {
	if s.log != nil {
		s.log(fmt.Sprintf("%12s  ", s.now.Sub(s.start)) + fmt.Sprintf(format, args...))
	}
}

// owns notes that the far side has taken a node for an end at an epoch: it must
// be the same for ever.
func (s *sim) owns(at int, epoch uint64, n *simNode) {
	if had := s.owners[at][epoch]; had != nil && had != n {
		s.fault("end %d has two owners at epoch %d: nodes %d and %d", at, epoch, had.num, n.num)
	}
	s.owners[at][epoch] = n
}
