package muxer

import (
	"io"
	"iter"
	"sync"
)

// Driver is what network.Conn.As gives of a connection of this package. It is no
// type of its own, so that who asks need not know this package.
type Driver = interface {
	// Drive runs loop, which reads from s, a stream of the connection, and
	// returns when loop does. Where loop's Read would wait for data, loop is put
	// aside, and goes on, when it is little data, within the goroutine that has
	// read it from the connection: no other has to be woken. So loop must wait for
	// nothing but s; while it runs no stream of the connection gets anything.
	//
	// It reports whether it could: false, and loop was not called, if s is no
	// stream of the connection.
	Drive(s io.Reader, loop func()) bool
}

// introduction is how a stream is found below what wraps it: a Read into no
// bytes of its memory.
type introduction struct {
	b [1]byte
	s *stream
}

// Drive implements Driver.
func (c *session) Drive(r io.Reader, loop func()) bool {
	s := c.find(r)
	if s == nil {
		return false
	}
	s.drive(loop)
	return true
}

// find returns the stream that r reads; nil if that is none of the session's.
func (c *session) find(r io.Reader) *stream {
	c.finding.Lock() // one introduction at a time
	defer c.finding.Unlock()
	i := new(introduction)
	c.meeting.Store(i)
	defer c.meeting.Store(nil)
	_, _ = r.Read(i.b[:0]) // the loop will see
	return i.s
}

// meets takes in an introduction.
func (c *session) meets(s *stream, b []byte) {
	if cap(b) == 0 {
		return
	}
	if i := c.meeting.Load(); i != nil && &b[:1][0] == &i.b[0] {
		i.s = s
	}
}

// inlineMost is how much data at a time a driven loop is given by the goroutine
// that has read it. More is worth waking another, so that the next can be read
// meanwhile.
const inlineMost = 4 << 10

// driven is a loop that reads a stream.
type driven struct {
	mu    sync.Mutex              // held while it runs
	next  func() (struct{}, bool) // runs it until it waits; nil when it has ended
	yield func(struct{}) bool     // puts it aside
	work  chan struct{}           // of capacity one: Drive's goroutine is to run it
	ended chan struct{}           // closed when it has ended
}

func (s *stream) drive(loop func()) {
	d := &driven{work: make(chan struct{}, 1), ended: make(chan struct{})}
	d.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		d.yield = yield
		loop()
	})
	s.mu.Lock()
	s.driven = d
	s.mu.Unlock()
	d.kick()
	for {
		select {
		case <-d.work:
			d.mu.Lock()
			d.run()
		case <-d.ended:
			return
		}
	}
}

// kick has Drive's goroutine run the loop.
func (d *driven) kick() {
	select {
	case d.work <- struct{}{}:
	default:
	}
}

// data has the loop take n bytes that have arrived.
func (d *driven) data(n int) {
	if n > inlineMost || !d.mu.TryLock() {
		d.kick()
		return
	}
	d.run()
}

// run runs the loop until it waits. It is called with mu and unlocks it.
func (d *driven) run() {
	defer d.mu.Unlock()
	if d.next == nil {
		return
	}
	if _, more := d.next(); !more {
		d.next = nil
		close(d.ended)
	}
}
