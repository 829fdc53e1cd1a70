package link

import (
	"container/heap"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sim runs two machines on carriers that it can delay, kill and silence, in a
// time of its own.
type sim struct {
	rng    *rand.Rand
	now    time.Time
	events eventQueue
	order  int
	ends   [2]*simEnd // the dialer's first
	legs   []*simCarrier
	delay  func() time.Duration // of a carrier, one way
	trace  func(format string, args ...any)
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

// run goes on until nothing is left to happen, or stop says so.
func (s *sim) run(stop func() bool) {
	for len(s.events) > 0 && !stop() {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
}

// simCarrier is a pair of one-way lines with a leg at each end.
type simCarrier struct {
	s     *sim
	delay time.Duration
	dead  bool
	mute  bool // takes frames and loses them
	legs  [2]*leg
	free  [2]time.Time // when each line is next in order
}

// simEnd is one end with its application.
type simEnd struct {
	s       *sim
	at      int // 0 dialer, 1 listener
	m       *machine
	pulling bool

	toWrite, written uint64
	toRead, read     uint64
	readSize         int
	closing          bool // CloseWrite once all is written
	sawEOF           bool
	err              error
	redialing        bool
	tickAt           time.Time
	larger           bool
	noDial           bool // the far end cannot be reached now
}

// streamByte is byte off of the stream that end at sends.
func streamByte(at int, off uint64) byte {
	x := off*0x9E3779B97F4A7C15 + uint64(at)*0xD1B54A32D192ED03
	return byte(x >> 56)
}

func (e *simEnd) far() *simEnd { return e.s.ends[1-e.at] }

// dial makes a carrier and attaches the end to it.
func (e *simEnd) dial(planned bool) {
	c := &simCarrier{s: e.s, delay: e.s.delay()}
	l := newLeg(c)
	c.legs[e.at] = l
	e.s.legs = append(e.s.legs, c)
	e.m.attach(l, planned, e.s.now)
	e.act()
}

// simOutbox collects what one pull gives.
type simOutbox struct {
	room   int
	frames []simFrame
}

type simFrame struct {
	kind    kind
	payload []byte
}

func (o *simOutbox) Room() int { return max(0, o.room) }

func (o *simOutbox) Frame(k kind, n int) []byte {
	if n > o.room {
		panic(fmt.Sprintf("frame of %d bytes where %d have room", n, o.room))
	}
	b := make([]byte, n)
	o.room -= n + 8
	o.frames = append(o.frames, simFrame{k, b})
	return b
}

// act carries out the effects of what was done to the machine.
func (e *simEnd) act() {
	fx := e.m.take()
	if fx.over {
		e.m.overAt = e.s.now
		e.err = e.m.over
	}
	for _, l := range fx.released {
		e.leave(l)
	}
	for _, l := range fx.ready {
		if l != nil {
			e.s.after(0, func() { e.pull(l) })
		}
	}
	if fx.readable || fx.writable {
		e.s.after(0, e.work)
	}
	if fx.redial {
		e.redial(time.Duration(e.s.rng.IntN(50)) * time.Millisecond)
	}
	if fx.ackLater {
		e.s.after(ackDelay, func() { e.m.owed(); e.act() })
	}
	e.arm()
}

func (e *simEnd) redial(in time.Duration) {
	if e.redialing {
		return
	}
	e.redialing = true
	e.s.after(in, func() {
		e.redialing = false
		switch {
		case !e.m.needsLeg():
		case e.noDial:
			e.redial(200 * time.Millisecond)
		default:
			e.dial(false)
		}
	})
}

// arm sees to the machine's deadline.
func (e *simEnd) arm() {
	d := e.m.deadline()
	if d.IsZero() || d.Equal(e.tickAt) {
		return
	}
	e.tickAt = d
	e.s.after(d.Sub(e.s.now), func() { e.tickAt = time.Time{}; e.m.tick(e.s.now); e.act() })
}

func (e *simEnd) pull(l *leg) {
	c := l.carrier.(*simCarrier)
	for more := true; more && c.legs[e.at] == l; {
		o := &simOutbox{room: maxOpening + e.s.rng.IntN(60000)}
		more = e.m.pull(l, o)
		for _, f := range o.frames {
			c.send(e.at, f)
		}
		e.act()
	}
}

// send puts a frame on the line of one side.
func (c *simCarrier) send(from int, f simFrame) {
	if c.dead || c.mute {
		return
	}
	at := c.s.now.Add(c.delay)
	if at.Before(c.free[from]) {
		at = c.free[from]
	}
	c.free[from] = at
	c.s.after(at.Sub(c.s.now), func() {
		if !c.dead && !c.mute {
			c.s.ends[1-from].receive(c, f)
		}
	})
}

// kindLeave stands for the trunk's LEAVE.
const kindLeave kind = 1

func (e *simEnd) leave(l *leg) {
	c := l.carrier.(*simCarrier)
	if c.legs[e.at] == l {
		c.legs[e.at] = nil
		e.s.after(0, func() { c.send(e.at, simFrame{kind: kindLeave}) })
	}
}

// kill ends a carrier; each side hears of it after a while of its own.
func (c *simCarrier) kill(first, second time.Duration) {
	if c.dead {
		return
	}
	c.dead = true
	for at, d := range []time.Duration{first, second} {
		c.s.after(d, func() {
			if l := c.legs[at]; l != nil {
				c.legs[at] = nil
				e := c.s.ends[at]
				e.m.lost(l, wire.Errorf(wire.Unreachable, "the carrier was killed"), c.s.now)
				e.act()
			}
		})
	}
}

// receive takes a frame as the part around the machine does.
func (e *simEnd) receive(c *simCarrier, f simFrame) {
	l := c.legs[e.at]
	switch {
	case f.kind == kindLeave:
		if l != nil {
			c.legs[e.at] = nil
			e.m.left(l, e.s.now)
			e.act()
			e.leave(l)
			c.send(e.at, simFrame{kind: kindLeave})
		}
	case f.kind == kindOpen || f.kind == kindResume:
		e.opened(c, f)
	case l == nil:
	case f.kind == kindData:
		e.data(l, f.payload)
	default:
		if err := e.m.control(l, f.kind, f.payload, e.s.now); err != nil {
			e.m.abort(wire.CodeOf(err), err.Error())
		}
		e.act()
	}
}

func (e *simEnd) opened(c *simCarrier, f simFrame) {
	l := newLeg(c)
	c.legs[e.at] = l
	var r resume
	if f.kind == kindOpen {
		o, err := parseOpening(f.payload)
		if err != nil {
			panic(err)
		}
		r = o.resume()
	} else {
		var err error
		if r, err = parseResume(f.payload); err != nil {
			panic(err)
		}
	}
	if c, refused := e.m.judge(r, true, e.larger); c != claimPlain {
		e.s.trace("%d refuses %+v: %v", e.at, r, refused.code)
		e.refuse(l, refused)
		return
	}
	if err := e.m.resume(l, r, e.s.now); err != nil {
		e.m.abort(wire.CodeOf(err), err.Error())
	}
	e.act()
}

func (e *simEnd) refuse(l *leg, r refusal) {
	c := l.carrier.(*simCarrier)
	c.legs[e.at] = nil
	c.send(e.at, simFrame{kindRefused, r.append(nil)})
	c.send(e.at, simFrame{kind: kindLeave})
}

func (e *simEnd) data(l *leg, b []byte) {
	off, counts, err := e.m.place(l, len(b))
	if err != nil {
		e.m.abort(wire.CodeOf(err), err.Error())
	} else if counts {
		if len(b) < 4096 {
			e.m.in.takeBytes(off, b)
		} else {
			c := newChunk(len(b))
			e.m.in.take(off, c, copy(c.b, b))
		}
		e.m.arrived(e.s.now)
	}
	e.act()
}

// work is the application: it reads what there is and writes what it may.
func (e *simEnd) work() {
	e.writes()
	e.reads()
	e.act()
}

func (e *simEnd) writes() {
	for e.written < e.toWrite {
		b := make([]byte, min(e.toWrite-e.written, uint64(1+e.s.rng.IntN(30000))))
		for i := range b {
			b[i] = streamByte(e.at, e.written+uint64(i))
		}
		n, err := e.m.write(b)
		e.written += uint64(n)
		if err != nil || n == 0 {
			return
		}
	}
	if e.closing {
		_ = e.m.closeWrite()
	}
}

func (e *simEnd) reads() {
	b := make([]byte, e.readSize)
	for {
		n, eof, err := e.m.read(b)
		for i := range b[:n] {
			if want := streamByte(1-e.at, e.read+uint64(i)); b[i] != want {
				panic(fmt.Sprintf("end %d: byte %d is %d, not %d", e.at, e.read+uint64(i), b[i], want))
			}
		}
		e.read += uint64(n)
		switch {
		case eof:
			e.sawEOF = true
			return
		case err != nil && err != io.EOF:
			return
		case n == 0:
			return
		}
	}
}

type plentyOfMemory struct{}

func (plentyOfMemory) reserve(uint64) bool { return true }
func (plentyOfMemory) release(uint64)      {}

// newSim opens a link over which each side sends so many bytes.
func newSim(seed uint64, up, down uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 4))
	s := &sim{rng: rng, now: time.Unix(1_000_000, 0), trace: func(string, ...any) {}}
	s.delay = func() time.Duration { return time.Duration(1+rng.IntN(60)) * time.Millisecond }
	id := NewID()
	for at := range s.ends {
		set := settings{
			id: id, service: "test", dialer: at == 0, grace: time.Minute, most: 1 << 20, budget: plentyOfMemory{},
		}
		s.ends[at] = &simEnd{s: s, at: at, m: newMachine(set), readSize: 1 + rng.IntN(20000), closing: true, larger: at == int(seed%2)}
	}
	s.ends[0].toWrite, s.ends[1].toRead = up, up
	s.ends[1].toWrite, s.ends[0].toRead = down, down
	for _, e := range s.ends {
		s.after(0, e.work)
	}
	s.ends[0].dial(false)
	return s
}
