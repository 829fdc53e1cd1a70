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
	// aside, and goes on within the goroutine that has read the data from the
	// connection: no other has to be woken. So loop must wait for nothing but s;
	// while it runs no stream of the connection gets anything.
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
	i := new(introduction)
	c.meeting.Store(i)
	_, _ = r.Read(i.b[:0]) // the loop will see
	if i.s == nil {
		return false
	}
	i.s.drive(loop)
	return true
}

// meets takes in an introduction.
func (c *session) meets(s *stream, b []byte) {
	if cap(b) == 0 {
		return
	}
	if i := c.meeting.Load(); i != nil && &b[:1][0] == &i.b[0] {
		i.s = s
		c.meeting.Store(nil)
	}
}

// driven is a loop that reads a stream.
type driven struct {
	mu    sync.Mutex              // held while it runs
	next  func() (struct{}, bool) // runs it until it waits
	yield func(struct{}) bool     // puts it aside
	ended chan struct{}
}

func (s *stream) drive(loop func()) {
	d := &driven{ended: make(chan struct{})}
	d.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		d.yield = yield
		loop()
	})
	s.mu.Lock()
	s.driven = d
	s.mu.Unlock()
	d.resume()
	<-d.ended
}

// resume has the loop look for data.
func (d *driven) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == nil {
		return
	}
	if _, ok := d.next(); !ok {
		d.next = nil
		close(d.ended)
	}
}
