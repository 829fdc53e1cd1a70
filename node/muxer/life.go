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
)

// life measures the round trip and finds out that the far side is dead.
type life struct {
	rtt   atomic.Int64  // nanoseconds, smoothed
	reads atomic.Uint64 // of the connection that gave something

	mu    sync.Mutex
	timer *time.Timer
	over  bool
	asked bool      // a ping is not answered
	num   uint32    // of the last ping, and how many there were
	at    time.Time // when it was sent
	had   uint64    // reads by then
	older uint64    // the same, of the ping before
}

// begin sends the first ping soon.
func (f *life) begin(c *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
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

// look sends a ping, or judges the last.
func (f *life) look(c *session) {
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return
	}
	if f.asked && time.Since(f.at) >= pingTime {
		dead := f.num > 1 && f.reads.Load() == f.older // what goes out may be in the way of a ping for long
		f.asked = false
		f.timer.Reset(pingEvery - pingTime)
		f.mu.Unlock()
		if dead {
			c.end(errSilent)
		}
		return
	}
	f.num++
	f.asked, f.at, f.older, f.had = true, time.Now(), f.had, f.reads.Load()
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
	f.timer.Reset(pingEvery)
	now := int64(time.Since(f.at))
	if before := f.rtt.Load(); before > 0 {
		now = before/2 + now/2
	}
	f.rtt.Store(max(1, now))
	return nil
}
