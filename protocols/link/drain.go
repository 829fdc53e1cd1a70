package link

import (
	"cmp"
	"io"
	"syscall"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// WriteTo writes to w what comes until the far side ends it, and returns how
// much that was. To a *net.TCPConn or *net.UnixConn it goes from where it
// arrived. What w is given counts as read from then on, so that the far side
// sends no faster than w takes it.
//
// It fails as Read does, and when w fails: what w was given then is lost. If the
// link is closed, reset or gone while w is waited for, w is woken by its write
// deadline, if it has one; that is cleared after. Else the link's own deadline
// counts only while it waits for data.
func (l *Link) WriteTo(w io.Writer) (total int64, err error) {
	over := make(chan struct{})
	failed := l.Drain(w, func(n int64, why error) {
		total, err = n, why
		close(over)
	})
	if failed != nil {
		return 0, failed
	}
	<-over
	return total, err
}

// Drain is WriteTo for who does not wait: what comes is written to w by who
// brings it, or by a goroutine that ends when there is no more for now, so that
// an idle link has none. Done is called once, on that goroutine, with what
// WriteTo returns.
//
// Only one call of either can be under way; another fails as taken, and one that
// comes when Links are closed as closed. Done is not called then.
func (l *Link) Drain(w io.Writer, done func(n int64, err error)) error {
	h := l.links
	if !h.begin() {
		return cmp.Or(l.unreadable(), errDown)
	}
	d := &drain{l: l, w: w, raw: rawConn(w), done: done, wake: l.woken(writeDeadlines(w), (*machine).deafIn)}
	l.mu.Lock()
	taken := l.drain != nil
	begins := !taken && (l.usable(&l.reads) != nil || l.m.in.readable() || l.m.over != nil)
	if !taken {
		l.drain, d.busy = d, begins
	}
	l.mu.Unlock()
	switch {
	case taken:
		d.wake.end()
		h.running.Done()
		return errDrained
	case begins:
		d.begin()
	}
	return nil
}

var (
	errDrained error = wire.Errorf(wire.Taken, "what the link brings is written elsewhere already")
	errDown    error = wire.Errorf(wire.Closed, "the node is shutting down")
)

// drain is one call of Drain.
//
//	idle ── few bytes ─────────▶ written by who brings them ── all went ──▶ idle
//	 ▲ └─── more, or an end ──▶ goroutine ◀── something is left ──┘
//	 └───── nothing is left ────────┘ └─── no more will come ──▶ done
type drain struct {
	// Fixed.
	l    *Link
	w    io.Writer
	raw  syscall.RawConn // of w, if it can be asked what it takes without waiting; else nil
	done func(n int64, err error)
	wake *waker

	// Guarded by the link's lock.
	busy   bool // somebody writes
	missed bool // what has happened meanwhile

	// Owned by who has set busy.
	rest  []byte // that could not be written at once; the goroutine's turn
	total int64
	err   error // of w
}

// stirLocked notes that there is something to see to. Unless somebody does so
// already, the caller is to begin what it gets.
func (l *Link) stirLocked() (start *drain) {
	d := l.drain
	switch {
	case d == nil:
		return nil
	case d.busy:
		d.missed = true
		return nil
	}
	d.busy = true
	return d
}
