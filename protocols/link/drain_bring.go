package link

import (
	"errors"
	"os"
	"sync"
)

// takesLocked reports that few bytes which stand at offset off may be written at
// once.
func (d *drain) takesLocked(off uint64) bool {
	return d != nil && d.raw != nil && !d.busy && d.l.usable(&d.l.reads) == nil && d.l.m.passes(off)
}

// attempt is a write of few bytes by who brings them, as far as that can be done
// without waiting: to have a goroutine do so costs more than the write.
type attempt struct {
	b   []byte
	n   int
	err error
	try func(fd uintptr) bool // once; made with it, since it would be an object each time
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.try = a.once
	return a
}}

// once writes what it can.
func (a *attempt) once(fd uintptr) bool {
	a.n, a.err = writeRaw(fd, a.b)
	return true
}

// bring writes b, which has been counted as read. It is called with busy set, by
// who set it, without the lock.
func (d *drain) bring(b []byte) {
	a := attempts.Get().(*attempt)
	a.b, a.n, a.err = b, 0, nil
	err := d.raw.Write(a.try)
	n, failed := a.n, a.err
	a.b, a.err = nil, nil
	attempts.Put(a)
	if err == nil && !errors.Is(failed, errNothing) {
		err = failed
	}
	d.total += int64(n)
	if n < len(b) {
		d.rest = append([]byte(nil), b[n:]...)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // that may have been moved when the rest is written
		d.err = err
	}
	d.l.mu.Lock()
	d.busy = d.missed || d.err != nil || len(d.rest) > 0
	busy := d.busy
	d.l.mu.Unlock()
	if busy {
		d.begin()
	}
}
