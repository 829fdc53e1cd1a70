package link

import (
	"errors"
	"io"
	"time"
)

// lateDelay is how long a late word waits for company.
const lateDelay = time.Millisecond

// late is what waits for something that it can go with: a frame that leaves
// alone costs the far side as much as one that takes data along. Guarded by the
// link's lock.
type late struct {
	timer    *time.Timer // nil unless something may wait
	withheld [2]*leg     // have something to send
}

// WriteLate is Write of what may wait for a millisecond: it goes with what is
// written next, if that is sooner. No other data may be written at the same
// time.
func (l *Link) WriteLate(b []byte) (int, error) { return l.write(b, true) }

// Flush sends what waits.
func (l *Link) Flush() {
	l.mu.Lock()
	l.hurryLocked()
	l.unlock(false)
}

// ReadOr reads from r, and calls idle before it waits, if r is such a conn that
// this can be known: a *net.TCPConn or *net.UnixConn.
func ReadOr(r io.Reader, b []byte, idle func()) (n int, err error) {
	raw := rawConn(r)
	if raw == nil || len(b) == 0 {
		return r.Read(b)
	}
	waited := false
	if e := raw.Read(func(fd uintptr) bool {
		n, err = readRaw(fd, b)
		wait := n <= 0 && errors.Is(err, errNothing)
		if wait && !waited {
			waited = true
			idle()
		}
		return !wait
	}); e != nil {
		return 0, e
	}
	return n, err
}

// putOffLocked has what is to be sent wait.
func (l *Link) putOffLocked() {
	if l.late.timer == nil {
		l.late.timer = time.AfterFunc(lateDelay, l.Flush)
	}
}

// hurryLocked ends the wait; unlock sends.
func (l *Link) hurryLocked() {
	if l.late.timer == nil {
		return
	}
	l.late.timer.Stop()
	for _, leg := range l.late.withheld {
		l.m.ready(leg)
	}
	l.late = late{}
}

// withholdLocked keeps back the legs that have something to send, while that
// may wait.
func (l *Link) withholdLocked(ready *[2]*leg) {
	if l.late.timer == nil {
		return
	}
	for i, leg := range ready {
		switch w := &l.late.withheld; {
		case leg == nil || leg == w[0] || leg == w[1]:
		case w[0] == nil:
			w[0] = leg
		case w[1] == nil:
			w[1] = leg
		default: // a third one within the time: it goes
			continue
		}
		ready[i] = nil
	}
}
