package trunk

import (
	"sync"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// inlineMost is how many bytes may be on their way while whoever has
	// something to send writes it himself: so few that the write does not wait.
	inlineMost = 32 << 10

	// leastSpace is how much of a batch must be free for another turn.
	leastSpace = 512
)

// A batch is one yamux message. On QUIC a write lasts until all of it is
// packed, and then nothing is to be sent before the next; so a carrier that has
// no other legs to delay writes more at a time there.
const bulkBatch = 4 * MaxFrame

// batches are shared by all carriers: few are in use at a time.
var batches, bulkBatches = newBatches(MaxFrame), newBatches(bulkBatch)

func newBatches(size int) *sync.Pool {
	return &sync.Pool{New: func() any { return &batch{b: make([]byte, size)} }}
}

// dues are the frames of the carrier's own that are to be written, and what
// has been agreed on by some. They are guarded by the carrier's mu.
type dues struct {
	seen, ping, pong, goAway bool

	echo     [pingSize]byte // of PONG
	going    bool           // GOAWAY was written, or is due
	farGoing bool           // GOAWAY was read
	half     bool           // the stream is to be closed for writing
	halved   bool           // it is
}

// any reports that a frame is due.
func (d *dues) any() bool {
	return d.seen || d.ping || d.pong || d.goAway || d.half && !d.halved
}

// ready puts a leg in the queue, and writes if it may.
func (c *carrier) ready(l *Leg, inline bool) {
	c.mu.Lock()
	if l.released || l.lost != nil || c.ended {
		c.mu.Unlock()
		return
	}
	l.ready = true
	if l.accepting {
		c.mu.Unlock()
		return
	}
	c.turns.push(&l.turn)
	if !inline || c.pumping || c.life.outstanding() >= inlineMost {
		c.kickLocked()
		c.mu.Unlock()
		return
	}
	c.pumping = true
	c.pumpLocked(1)
}

// kickLocked has the carrier's own goroutine write what there is.
func (c *carrier) kickLocked() {
	if c.pumping || c.ended || !c.workLocked() {
		return
	}
	c.pumping = true
	c.wake <- struct{}{}
}

// workLocked reports that there is something to write.
func (c *carrier) workLocked() bool {
	return c.turns.head != nil && !c.life.full() || c.leaves.head != nil || c.due.any()
}

// pumps writes what nobody else does.
func (c *carrier) pumps() {
	defer close(c.pumped)
	for {
		select {
		case <-c.wake:
			c.mu.Lock()
			c.pumpLocked(0)
		case <-c.dead:
			select {
			case <-c.wake:
				c.mu.Lock()
				c.restLocked()
				c.mu.Unlock()
			default:
			}
			return
		}
	}
}

// pumpLocked writes up to most batches, or all there is if most is 0. What is
// left goes to pumps. Its caller has set pumping. It unlocks mu.
func (c *carrier) pumpLocked(most int) {
	b := c.batches.Get().(*batch)
	for n := 1; ; n++ {
		b.reset()
		half := c.fillLocked(b)
		c.mu.Unlock()
		if err := c.write(b, half); err != nil {
			c.fail(err)
		}
		c.mu.Lock()
		if c.ended || !c.workLocked() {
			c.restLocked()
			break
		}
		if n == most {
			c.wake <- struct{}{}
			break
		}
	}
	c.mu.Unlock()
	b.reset()
	c.batches.Put(b)
}

// restLocked ends a pump.
func (c *carrier) restLocked() {
	c.pumping = false
	if c.rested != nil {
		close(c.rested)
		c.rested = nil
	}
}

// write writes one batch; half says that it is the last.
func (c *carrier) write(b *batch, half bool) error {
	if b.n > 0 {
		if _, err := c.s.Write(b.bytes()); err != nil {
			return lost(err)
		}
		if !c.began {
			c.began = true
			close(c.started)
		}
	}
	if half {
		return c.s.CloseWrite()
	}
	return nil
}

// fillLocked puts into b what is to be written, and tells whether it is the
// last. It unlocks mu for the calls of owners.
func (c *carrier) fillLocked(b *batch) (half bool) {
	if c.ended {
		return false
	}
	c.fillDues(b)
	own := b.n
	for b.space() >= leastSpace {
		if c.leaves.head != nil {
			if !c.writeLeave(b) {
				break
			}
		} else if c.turns.head == nil || c.life.full() || c.pull(b) {
			break
		}
	}
	c.life.wrote(b.n - own)
	if c.due.half && !c.due.halved && !c.workBesidesHalf() {
		c.due.halved, half = true, true
	}
	return half
}

// workBesidesHalf is workLocked before the end.
func (c *carrier) workBesidesHalf() bool {
	return c.turns.head != nil || c.leaves.head != nil || c.due.goAway || c.due.pong || c.due.seen || c.due.ping
}

// fillDues writes the frames of the carrier's own.
func (c *carrier) fillDues(b *batch) {
	d, f := &c.due, &c.life
	if !c.greeted {
		c.greeted = true
		b.take(hello{own: c.own && c.outgoing}.append(b.free()))
	}
	if received := c.received.Load(); received-f.reported.Load() >= seenAlong || d.seen {
		d.seen = false
		f.reported.Store(received)
		b.take(appendNumber(b.free(), kindSeen, received))
	}
	if d.pong {
		d.pong = false
		b.take(appendPing(b.free(), kindPong, d.echo))
	}
	if d.ping {
		d.ping = false
		b.take(appendPing(b.free(), kindPing, pingData(f.pings)))
	}
	if d.goAway {
		d.goAway = false
		b.take(appendNumber(b.free(), kindGoAway, uint64(wire.OK)))
	}
}

// pull gives the leg at the head its turn, and reports that the batch is full.
// It unlocks mu for the owner's call.
func (c *carrier) pull(b *batch) (full bool) {
	l := c.turns.head.leg
	space, before, again := b.space(), b.n, false
	allowed := c.turns.allow(space)
	if l.datagrams != nil {
		l.datagrams.fill(l, b, allowed)
	}
	if l.ready && !l.released && l.lost == nil {
		l.ready = false
		l.calls++
		c.out = Outbox{b, l, allowed - (b.n - before)}
		c.mu.Unlock()
		more := l.owner.Pull(l, &c.out)
		c.mu.Lock()
		again = l.ready && b.n == before // what it said meanwhile came too late for the call
		l.ready = l.ready || more
		c.callEndedLocked(l)
	}
	alive := !l.released && l.lost == nil
	if again && alive {
		return false
	}
	more := l.ready && alive || l.datagrams.pending()
	return c.turns.done(space, allowed, b.n-before, more, before == 0)
}
