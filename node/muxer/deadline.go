package muxer

import (
	"sync"
	"time"
)

// deadline is when a call fails. The zero one is never.
type deadline struct {
	mu     sync.Mutex
	at     time.Time
	timer  *time.Timer
	passed chan struct{} // closed when it has passed; nil until somebody waits
	wake   func()        // is called when it has passed, or has changed
}

// set moves it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if d.passed != nil && isClosed(d.passed) {
		d.passed = nil
	}
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, d.fire)
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	if !t.IsZero() {
		d.fire()
	}
}

func (d *deadline) fire() {
	d.mu.Lock()
	if d.passedLocked() && d.passed != nil && !isClosed(d.passed) {
		close(d.passed)
	}
	d.mu.Unlock()
	d.wake()
}

func (d *deadline) passedLocked() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passedLocked()
}

// wait is closed when it has passed.
func (d *deadline) wait() <-chan struct{} {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
		if d.passedLocked() {
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
