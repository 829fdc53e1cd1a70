package link

import (
	"slices"
	"sync"
	"time"
)

// waker ends a wait of ReadFrom or WriteTo for the conn at their other side
// once the link is of no use to them.
type waker struct {
	l    *Link
	set  func(time.Time) error // a deadline of the conn
	deaf func(*machine) bool   // that time has come

	mu    sync.Mutex
	ended bool
	woke  bool
}

// longAgo has passed.
var longAgo = time.Unix(1, 0)

func readDeadlines(v any) func(time.Time) error {
	if c, ok := v.(interface{ SetReadDeadline(time.Time) error }); ok {
		return c.SetReadDeadline
	}
	return nil
}

func writeDeadlines(v any) func(time.Time) error {
	if c, ok := v.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return c.SetWriteDeadline
	}
	return nil
}

// woken makes a waker, which its user ends; nil set is for what cannot be woken.
func (l *Link) woken(set func(time.Time) error, deaf func(*machine) bool) *waker {
	if set == nil {
		return nil
	}
	w := &waker{l: l, set: set, deaf: deaf}
	l.mu.Lock()
	l.wakers = append(l.wakers, w)
	l.mu.Unlock()
	return w
}

// wakeLocked takes those out whose time has come.
func (l *Link) wakeLocked() (due []*waker) {
	if len(l.wakers) == 0 || (!l.closed && l.m.over == nil && !l.m.out.stopped && !l.m.out.fin) {
		return nil
	}
	l.wakers = slices.DeleteFunc(l.wakers, func(w *waker) bool {
		if l.closed || w.deaf(l.m) {
			due = append(due, w)
			return true
		}
		return false
	})
	return due
}

// wake wakes.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.woke = true
		_ = w.set(longAgo) // a conn that has no deadline any more waits for nothing
	}
}

// was reports that the conn was woken.
func (w *waker) was() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woke
}

// end ends the waker; after it the conn is left alone.
func (w *waker) end() {
	if w == nil {
		return
	}
	w.l.mu.Lock()
	w.l.wakers = slices.DeleteFunc(w.l.wakers, func(o *waker) bool { return o == w })
	if len(w.l.wakers) == 0 {
		w.l.wakers = nil
	}
	w.l.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.woke {
		_ = w.set(time.Time{})
	}
}
