package link

import (
	"sync"
	"time"
)

// ackQueue acknowledges for many links with one timer: what one waits for is
// never more than ackDelay away.
type ackQueue struct {
	links *Links

	mu      sync.Mutex
	waiting []*Link
	spare   []*Link
	timer   *time.Timer
	armed   bool
	stopped bool
}

func (q *ackQueue) add(l *Link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, l)
	if q.armed || q.stopped {
		return
	}
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(ackDelay, q.flush)
		return
	}
	q.timer.Reset(ackDelay)
}

func (q *ackQueue) flush() {
	q.mu.Lock()
	due := q.waiting
	q.waiting, q.spare, q.armed = q.spare[:0], nil, false
	q.mu.Unlock()
	for _, l := range due {
		l.mu.Lock()
		l.m.owed()
		l.unlock(false)
	}
	clear(due)
	q.mu.Lock()
	q.spare = due[:0]
	q.mu.Unlock()
}

func (q *ackQueue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	if q.timer != nil {
		q.timer.Stop()
	}
}
