package link

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Link is one end of a link: a net.Conn with half-close that lives on while
// what carries it comes and goes. Its methods may be called from several
// goroutines at once. An idle link has no goroutine and no timer.
type Link struct {
	// Fixed after it was made.
	links   *Links
	id      ID
	service string
	counted peer.ID // whose share it takes; guarded by links.mu
	handled bool    // by a handler that runs; guarded by links.mu

	mu               sync.Mutex // guards what follows
	m                *machine
	far              peer.ID
	route            Route
	readers, writers sync.Cond
	reads, writes    deadline
	writing          bool      // somebody is in Write: others wait
	closed           bool      // by Close
	redialled        time.Time // last given a leg by redialling
	settled          bool      // both sides know that it is over
	timer            *time.Timer
	timerAt          time.Time
	done             chan struct{} // closed at the end; nil until somebody asks
	data             datagrams
	history          history
	only             func(reach.Path) bool // paths that it may use; nil for all
	prompt           bool                  // it does not outlive its first leg unless the far side has answered
	offered          reach.Path            // a better one, that came at a bad time
	wakers           []*waker              // of calls that may wait for another conn
	late             late
	drain            *drain // writes what comes; nil if that is left to Read
}

// deadline is when a call fails; its timer wakes those who wait.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (h *Links) newLink(m *machine, far peer.ID, r Route) *Link {
	l := &Link{links: h, id: m.id, service: m.service, m: m, far: far, route: r}
	l.readers.L, l.writers.L = &l.mu, &l.mu
	return l
}

// unlock lets go of the machine and carries out what it asks for. Soon is for
// calls from within the trunk.
func (l *Link) unlock(soon bool) {
	if l.m.fx.round {
		l.roundLocked()
	}
	fx := l.m.take()
	l.withholdLocked(&fx.ready)
	if fx.over {
		l.overLocked()
	}
	for _, r := range fx.released {
		r.carrier.(*attachment).releasedLocked()
	}
	l.armLocked()
	events := l.history.events
	l.history.events = nil
	better, heavy := l.betterLocked(), l.heavyLocked()
	settled := !l.settled && l.m.over != nil && !l.m.mustTell()
	l.settled = l.settled || settled
	wake := l.wakeLocked()
	var start *drain
	if fx.readable {
		start = l.stirLocked()
	}
	l.mu.Unlock()
	start.begin()
	for _, w := range wake {
		w.wake()
	}
	for _, e := range events {
		l.links.cfg.Trace(e)
	}
	if fx.readable {
		l.readers.Broadcast()
	}
	if fx.writable {
		l.writers.Broadcast()
	}
	for _, r := range fx.released {
		r.carrier.(*attachment).release()
	}
	for _, r := range fx.ready {
		if r != nil {
			r.carrier.(*attachment).ready(soon)
		}
	}
	if fx.ackLater {
		l.links.acks.add(l)
	}
	if fx.redial {
		l.links.redial(l)
	}
	if !better.IsZero() {
		l.links.goes(func() { l.improve(l.links.ctx, better) })
	}
	if heavy != nil && heavy.leg.Shared() {
		l.links.goes(func() { l.promote(heavy.leg.Path()) })
	}
	switch {
	case settled:
		l.links.forget(l)
	case fx.over:
		l.links.stir()
	}
}

// roundLocked has the machine judge its window.
func (l *Link) roundLocked() {
	var rtt time.Duration
	if cur := l.m.cur; cur != nil {
		rtt = cur.carrier.(*attachment).leg.Path().RTT()
	}
	l.m.round(time.Now(), rtt)
}

// overLocked notes that the link has ended.
func (l *Link) overLocked() {
	l.m.overAt = time.Now()
	l.reads.stop()
	l.writes.stop()
	if l.done != nil {
		close(l.done)
	}
}

// armLocked has the machine called at its deadline.
func (l *Link) armLocked() {
	at := l.m.deadline()
	if at.Equal(l.timerAt) {
		return
	}
	l.timerAt = at
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if !at.IsZero() {
		l.timer = time.AfterFunc(time.Until(at), l.tick)
	}
}

func (l *Link) tick() {
	l.mu.Lock()
	l.timerAt = time.Time{}
	l.m.tick(time.Now())
	l.unlock(false)
}

// Read reads data. It fails with io.EOF at the far side's CloseWrite or Close,
// os.ErrDeadlineExceeded, net.ErrClosed after Close, or why the link ended:
// wire.Gone when it was lost for longer than its time of grace.
func (l *Link) Read(b []byte) (int, error) {
	l.mu.Lock()
	for {
		if err := l.usable(&l.reads); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		n, eof, err := l.m.read(b)
		if n > 0 || eof || err != nil || len(b) == 0 {
			if eof {
				err = io.EOF
			}
			l.unlock(false)
			return n, err
		}
		l.readers.Wait()
	}
}

// usable says why a call cannot go on.
func (l *Link) usable(d *deadline) error {
	switch {
	case l.closed:
		return net.ErrClosed
	case d.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Write writes b. It returns once all of b is kept for sending: what was
// written is delivered even if the link is closed after, unless it is lost for
// good. It fails as Read does, io.EOF excepted.
func (l *Link) Write(b []byte) (int, error) { return l.write(b, false) }

func (l *Link) write(b []byte, late bool) (written int, err error) {
	l.mu.Lock()
	for l.writing {
		if err := l.usable(&l.writes); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		l.writers.Wait()
	}
	l.writing = true
	if late {
		l.putOffLocked()
	} else {
		l.hurryLocked()
	}
	for {
		if err = l.usable(&l.writes); err != nil {
			break
		}
		var n int
		n, err = l.m.write(b[written:])
		written += n
		if err != nil || written == len(b) {
			break
		}
		if n > 0 { // what fits goes its way before the rest waits
			l.unlock(false)
			l.mu.Lock()
			continue
		}
		l.writers.Wait()
	}
	l.writing = false
	l.m.fx.writable = true // the next writer's turn
	l.unlock(false)
	return written, err
}

// CloseWrite ends what this side sends: the far side reads io.EOF after it.
func (l *Link) CloseWrite() error {
	l.mu.Lock()
	defer l.unlock(false)
	if l.closed {
		return net.ErrClosed
	}
	l.hurryLocked()
	return l.m.closeWrite()
}

// Close ends both directions: what was written is still delivered, what comes
// is dropped, and the far side's writes fail. Calls that wait fail with
// net.ErrClosed. Closing again does nothing.
func (l *Link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closeLocked()
	_ = l.m.closeWrite() // if the link is over, that is what the caller wants
	l.m.stop()
	l.unlock(false)
	return nil
}

func (l *Link) closeLocked() {
	l.closed = true
	l.reads.stop()
	l.writes.stop()
	l.m.fx.readable, l.m.fx.writable = true, true
	l.hurryLocked()
}

// Reset drops the link: the far side gets an error with this code and reason,
// and what was written may be lost.
func (l *Link) Reset(code wire.Code, reason string) {
	l.mu.Lock()
	l.closeLocked()
	l.m.abort(code, reason)
	l.m.freeUnread()
	l.unlock(false)
}

// SetDeadline sets both deadlines; the zero time is never.
func (l *Link) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

// SetReadDeadline sets when a pending or later Read fails with
// os.ErrDeadlineExceeded. It can be moved again after.
func (l *Link) SetReadDeadline(t time.Time) error { return l.setDeadline(&l.reads, &l.readers, t) }

// SetWriteDeadline is SetReadDeadline for Write. Part of the data may have been
// taken when it passes.
func (l *Link) SetWriteDeadline(t time.Time) error { return l.setDeadline(&l.writes, &l.writers, t) }

func (l *Link) setDeadline(d *deadline, waiting *sync.Cond, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	d.stop()
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.movedLocked(d, waiting)
		})
		return nil
	}
	l.movedLocked(d, waiting)
	return nil
}

// movedLocked has those who wait look at their deadline.
func (l *Link) movedLocked(d *deadline, waiting *sync.Cond) {
	waiting.Broadcast()
	if d == &l.reads && d.passed() {
		l.stirLocked().begin()
	}
}

// ID names the link at both ends.
func (l *Link) ID() ID { return l.id }

// Service is the name of what the link was opened to.
func (l *Link) Service() string { return l.service }

// Dialer reports that this end opened the link.
func (l *Link) Dialer() bool { return l.m.dialer }

// Peer is the node at the far end, now.
func (l *Link) Peer() peer.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.far
}

// Path is the path that carries the link; the zero Path while none does.
func (l *Link) Path() reach.Path {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m.cur == nil {
		return reach.Path{}
	}
	return l.m.cur.carrier.(*attachment).leg.Path()
}

// Done is closed when the link has ended: closed at both sides, reset, or gone.
func (l *Link) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.m.over != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err is why the link has ended; nil while it lives, and wire.Closed when both
// sides have ended it in good order.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m.over
}

// Addr is an end of a link. Its network is "link".
type Addr struct{ Peer peer.ID }

// Network returns "link".
func (Addr) Network() string { return "link" }

// String returns the peer's ID.
func (a Addr) String() string { return a.Peer.String() }

// LocalAddr is this node, an Addr.
func (l *Link) LocalAddr() net.Addr { return Addr{l.links.cfg.Self} }

// RemoteAddr is the node at the far end, an Addr.
func (l *Link) RemoteAddr() net.Addr { return Addr{l.Peer()} }
