package muxer

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pingEvery = 30 * time.Second
	pingTime  = 10 * time.Second // in which a ping is to be answered
	pingFirst = time.Second      // between the first pings: a connection is busy when it is new
	pingsKept = 4
)

// life measures the round trip and finds out that the far side is dead.
type life struct {
	rtt   atomic.Int64  // nanoseconds, the least of the last that were measured
	reads atomic.Uint64 // of the connection that gave something

	mu    sync.Mutex
	timer *time.Timer
	over  bool
	asked bool // a ping is not answered
	num   uint32
	last  [pingsKept]time.Duration // round trips; 0 for none yet
	sent  mark                     // of the last ping
	older mark                     // of the one before
}

// mark is when a ping was sent, and how many reads there had been.
type mark struct {
	at    time.Time
	reads uint64
}

// begin sends the first ping soon.
func (f *life) begin(c *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent.at = time.Now()
	f.timer = time.AfterFunc(0, func() { f.look(c) })
}

func (f *life) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.timer.Stop()
}

// heard is a connection whose life is noted.
type heard struct {
	net.Conn
	life *life
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.life.reads.Add(1)
	}
	return n, err
}

// look sends a ping, or judges the last. What goes out may be in the way of a
// ping for long: silence has to last from one to the time of the next.
func (f *life) look(c *session) {
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return
	}
	if f.asked && time.Since(f.sent.at) >= pingTime {
		dead := f.reads.Load() == f.older.reads && time.Since(f.older.at) >= pingEvery+pingTime
		f.asked = false
		f.timer.Reset(pingEvery - pingTime)
		f.mu.Unlock()
		if dead {
			c.end(errSilent)
		}
		return
	}
	f.num++
	f.asked, f.older, f.sent = true, f.sent, mark{time.Now(), f.reads.Load()}
	num := f.num
	f.timer.Reset(pingTime)
	f.mu.Unlock()
	if err := c.out.post(header{kind: kindPing, flags: flagOpen, length: num}); err != nil {
		c.end(err)
	}
}

// ping takes in a ping or the answer to one.
func (c *session) ping(h header) error {
	if h.flags&flagOpen != 0 {
		return c.out.post(header{kind: kindPing, flags: flagTake, length: h.length})
	}
	f := &c.life
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.asked || f.over || h.length != f.num {
		return nil
	}
	f.asked = false
	next := pingEvery
	if f.num < pingsKept {
		next = pingFirst
	}
	f.timer.Reset(next)
	f.last[f.num%pingsKept] = max(1, time.Since(f.sent.at))
	least := time.Duration(0)
	for _, d := range f.last {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	f.rtt.Store(int64(least))
	return nil
}
