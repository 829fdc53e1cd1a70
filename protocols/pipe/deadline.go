package pipe

import (
	"sync"
	"time"
)

// deadline is a point in time at which a channel closes. It serves the waits
// of a connection that no stream's own deadline covers. Like net.Pipe's.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	passed chan struct{} // nil until somebody needs it
	at     time.Time
}

func newDeadline() *deadline { return &deadline{} }

// set moves the deadline; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.passed == nil {
		if t.IsZero() {
			return
		}
		d.passed = make(chan struct{})
	}
	if d.timer != nil && !d.timer.Stop() {
		<-d.passed // the timer has fired or is about to; its close must be over
	}
	d.timer = nil
	closed := isClosed(d.passed)
	if closed && (t.IsZero() || time.Until(t) > 0) {
		d.passed = make(chan struct{})
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait > 0:
		passed := d.passed
		d.timer = time.AfterFunc(wait, func() { close(passed) })
	case !closed:
		close(d.passed)
	}
}

// wait returns the channel that closes when the deadline, as it is set now, passes.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	return d.passed
}

// isOver reports that it has passed.
func (d *deadline) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return isClosed(d.passed)
}

// time returns what was set last.
func (d *deadline) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

// stop ends the timer.
func (d *deadline) stop() { d.set(time.Time{}) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
