package link

import (
	"sync"
	"time"
)

// ackQueue acknowledges for many links with one timer: what one waits for is
// never more than ackDelay away. Once it is stopped it puts nothing off.
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
	if !q.later(l) {
		l.acknowledge(true)
	}
}

func (q *ackQueue) later(l *Link) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return false
	}
	q.waiting = append(q.waiting, l)
	if q.armed {
		return true
	}
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(ackDelay, q.flush)
	} else {
		q.timer.Reset(ackDelay)
	}
	return true
}

// acknowledge says what the link owes. Soon is as in unlock.
func (l *Link) acknowledge(soon bool) {
	l.mu.Lock()
	l.m.owed()
	l.unlock(soon)
}

func (q *ackQueue) flush() {
	q.mu.Lock()
	due := q.waiting
	q.waiting, q.spare, q.armed = q.spare[:0], nil, false
	q.mu.Unlock()
	for _, l := range due {
		l.acknowledge(false)
	}
	clear(due)
	q.mu.Lock()
	q.spare = due[:0]
	q.mu.Unlock()
}

func (q *ackQueue) stop() {
	q.mu.Lock()
	q.stopped = true
	if q.timer != nil {
		q.timer.Stop()
	}
	q.mu.Unlock()
	q.flush()
}
