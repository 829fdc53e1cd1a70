package muxer

import (
	"sync"
	"time"
)

// deadline is when a call fails. The zero one is never.
type deadline struct {
	wake func() // is called when it has passed; without mu

	mu      sync.Mutex
	at      time.Time
	sets    uint64 // so often it was set: a timer that was stopped too late is told by it
	timer   *time.Timer
	gone    bool          // it has passed
	stopped bool          // nobody is to wait any more
	passed  chan struct{} // closed when it has passed or nobody is to wait; nil until somebody does
}

// set moves it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	if d.stopped {
		d.mu.Unlock()
		return
	}
	d.clearLocked()
	d.sets++
	d.at, d.gone = t, false
	if d.passed != nil && isClosed(d.passed) {
		d.passed = nil
	}
	wait := time.Until(t)
	over := !t.IsZero() && wait <= 0
	if !t.IsZero() && !over {
		n := d.sets
		d.timer = time.AfterFunc(wait, func() { d.fire(n) })
	}
	n := d.sets
	d.mu.Unlock()
	if over {
		d.fire(n)
	}
}

// fire notes that the deadline that was the n-th has passed. It does not look at
// the clock again: one that was put back meanwhile is not to have anybody wait
// for ever.
func (d *deadline) fire(n uint64) {
	d.mu.Lock()
	if d.sets != n || d.stopped {
		d.mu.Unlock()
		return
	}
	d.gone = true
	d.releaseLocked()
	d.mu.Unlock()
	d.wake()
}

// stop ends it: who waits waits no more, and it is never from now on.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clearLocked()
	d.at, d.gone, d.stopped = time.Time{}, false, true
	d.releaseLocked()
}

func (d *deadline) clearLocked() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) releaseLocked() {
	if d.passed != nil && !isClosed(d.passed) {
		close(d.passed)
	}
}

func (d *deadline) overLocked() bool {
	return d.gone || !d.at.IsZero() && !time.Now().Before(d.at)
}

func (d *deadline) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.overLocked()
}

// state tells whether there is one, and whether it was stopped.
func (d *deadline) state() (set, stopped bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero(), d.stopped
}

// wait is closed when it has passed, or nobody is to wait.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
		if d.stopped || d.overLocked() {
			close(d.passed)
		}
	}
	return d.passed
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
