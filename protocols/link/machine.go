package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// machine is one end of a link: all that is decided, without a lock, a clock
// or a carrier. Its caller brings what happens and the time, and carries out
// the effects.
//
//	          open, accept
//	               │
//	               ▼    leg lost                  grace over
//	        ┌─▶ attached ──────────▶ detached ─────────────────▶ over (gone)
//	        │      │  ◀──────────────  │  ▲
//	        │      │      resumed      │  │
//	        │      │ freeze            │ freeze
//	   thaw │      ▼                   ▼  │ thaw
//	        └─── frozen ───────────────┴──┘
//	               │ exported
//	               ▼
//	          over (moved)
//
//	attached, both streams have ended ─▶ over (closed)
//	anywhere, RESET sent or received  ─▶ over (the code of the reset)
type machine struct {
	// Fixed.
	id      ID
	service string
	dialer  bool // this end opened the link
	seeks   bool // this end makes legs whenever one is needed
	grace   time.Duration
	token   []byte // authorises this node for its end, if it was imported

	// Both streams.
	in  inbound
	out outbound

	// Who is at which end.
	epoch    uint64 // of this end: how often it has moved
	farEpoch uint64

	// Legs.
	gen      uint64 // the highest that was agreed on or refused
	cur      *leg   // what is sent goes here; nil while detached
	ask      *leg   // a planned leg that is not answered
	old      []*leg // draining, newest last
	heard    bool   // the far side has answered the OPEN
	lostAt   time.Time
	lostWhy  error
	gapSince time.Time

	// A listener that makes legs, for now.
	roams     bool
	listened  bool      // it has left that to the dialer for long enough
	changedAt time.Time // this node's address, last

	// What is owed to the far side.
	ackNow   bool // at once
	ackLater bool // within ackDelay
	ackTimed bool // owed is going to be called
	stopDue  bool
	rewind   bool
	told     marks // last sent

	// An imported end tells nothing of its own, and takes nothing for granted,
	// until the far side has taken its node for the end: should the node die
	// before, the same state can be imported once more.
	claiming bool
	brought  marks // while claiming: what the far side has been told

	frozen   bool
	over     error     // why the link has ended; nil while it lives
	overAt   time.Time // set by the caller at effects.over
	resetBy  reset     // told to the far side with over, if code is not OK
	endSent  bool      // so on this leg
	farOver  bool      // the far side has said that it is over, or need not be told
	moved    bool      // exported: another node has this end
	hint     []byte    // where this end has moved; or the far end, as it says
	refusals int       // of legs, since the last that was taken

	budget   budget
	unread   uint64 // of it, after the end, until all has been read
	roundOff uint64 // read when the last round began
	roundAt  time.Time
	most     uint64 // window and replay grow to this, in bytes
	fx       effects
}

// effects is what a call asks of its caller.
type effects struct {
	readable bool    // a reader may go on
	writable bool    // a writer may go on
	ready    [2]*leg // have something to send
	released []*leg  // are not needed any more
	redial   bool    // a leg is needed, and this end is to make it
	ackLater bool    // owed(…) is to be called within ackDelay
	round    bool    // round(…) is to be called
	over     bool    // the link has ended
}

// budget is the memory that a node's links may use beyond what each has from
// the start, in bytes.
type budget interface {
	reserve(n uint64) bool
	release(n uint64)
}

// ackDelay is how long an acknowledgement waits for others.
const ackDelay = 20 * time.Millisecond

// ackAlong is how many bytes an acknowledgement has to tell of, to go along with
// what is sent anyway: with every answer of an exchange it would cost more than
// it gives.
const ackAlong = 4 << 10

// gapTime is how long bytes beyond a gap wait for those before them, which
// are on another leg, before they are asked for again.
const gapTime = time.Second

// maxRewinds is how often the far side may ask for bytes again on one leg.
const maxRewinds = 16

// take returns the effects since the last take.
func (m *machine) take() effects {
	fx := m.fx
	m.fx = effects{}
	return fx
}

func (m *machine) ready(l *leg) {
	switch {
	case l == nil || m.fx.ready[0] == l || m.fx.ready[1] == l:
	case m.fx.ready[0] == nil:
		m.fx.ready[0] = l
	default:
		m.fx.ready[1] = l
	}
}

func (m *machine) release(l *leg) {
	if l != nil {
		m.fx.released = append(m.fx.released, l)
	}
}

// write takes bytes of the application, as many as there is room for; 0 means
// that it must wait.
func (m *machine) write(b []byte) (int, error) {
	room, err := m.room(len(b))
	if room == 0 || err != nil {
		return 0, err
	}
	n := m.out.write(b)
	if n > 0 {
		m.ready(m.cur)
		m.wants()
	}
	return n, nil
}

// put is write for the first n bytes after the head of c, for which there is
// room. If it takes them it owns c.
func (m *machine) put(c *chunk, n int) (taken bool, err error) {
	if room, err := m.room(n); err != nil || room < n {
		return false, err
	}
	m.out.put(c, n)
	m.ready(m.cur)
	m.wants()
	return true, nil
}

// room is how many bytes the application may write now, who would like to write
// so many.
func (m *machine) room(want int) (int, error) {
	switch {
	case m.over != nil:
		return 0, m.over
	case m.out.fin:
		return 0, errEnded
	case m.out.stopped:
		return 0, errFarClosed
	case m.frozen:
		return 0, nil
	}
	if want > m.out.room() {
		m.keepMore()
	}
	return m.out.room(), nil
}

// deafOut reports that what is written leads nowhere.
func (m *machine) deafOut() bool { return m.over != nil || m.out.fin || m.out.stopped }

// deafIn reports that the link was not ended in good order.
func (m *machine) deafIn() bool { return m.over != nil && !m.closedWell() }

// read gives the application bytes; 0, nil means that it must wait, io.EOF
// comes as eof.
func (m *machine) read(b []byte) (n int, eof bool, err error) {
	if m.frozen && m.over == nil {
		return 0, false, nil
	}
	n, eof = m.in.read(b)
	return n, eof, m.wasRead(n > 0, eof)
}

// takeParts is read without a copy: it adds what there is to parts, as pieces
// that are the caller's from then on, up to so many bytes and what parts has
// room for.
func (m *machine) takeParts(parts []part, most int) (_ []part, eof bool, err error) {
	if m.frozen && m.over == nil {
		return parts, false, nil
	}
	parts, eof = m.in.readParts(parts, most)
	return parts, eof, m.wasRead(len(parts) > 0, eof)
}

// passes reports that bytes which stand at offset off go to the application at
// once, past the queue.
func (m *machine) passes(off uint64) bool {
	return m.over == nil && !m.frozen && !m.in.stopped && off == m.in.q.end && m.in.q.len() == 0 && m.in.ahead.len() == 0
}

// pass takes n bytes that go so.
func (m *machine) pass(n int, now time.Time) {
	m.in.q.startAt(m.in.q.end + uint64(n))
	m.arrived(now)
	_ = m.wasRead(true, false) // as long as it passes it is not over
}

// wasRead does what follows when the application has read something, or the
// end, or has tried.
func (m *machine) wasRead(some, eof bool) error {
	if !some && !eof && m.over != nil && !m.in.readable() {
		return m.over
	}
	if m.over != nil {
		if m.in.q.len() == 0 {
			m.freeUnread()
		}
		return nil
	}
	if m.in.q.off-m.roundOff >= m.in.window/2 {
		m.fx.round = true
	}
	if m.in.grant() {
		m.ackNow = true
		m.ready(m.cur)
	} else if some || eof {
		m.oweLater()
	}
	return nil
}

// closeWrite ends what this side sends.
func (m *machine) closeWrite() error {
	if m.over != nil {
		return m.over
	}
	if !m.out.fin {
		m.out.fin = true
		m.ready(m.cur)
		m.wants()
		m.settle()
	}
	return nil
}

// stop ends what this side receives: what has come and will come is dropped.
func (m *machine) stop() {
	if m.over != nil || m.in.stopped {
		m.freeUnread()
		return
	}
	ended := m.in.ended()
	m.in.stop()
	if !ended {
		m.stopDue = true
		m.ready(m.cur)
	} else {
		m.oweLater()
	}
	m.settle()
}

// abort resets the link: both sides see an error, and what was written may be
// lost.
func (m *machine) abort(code wire.Code, reason string) {
	if m.over == nil {
		code, reason = known(code), clip(reason)
		m.resetBy = reset{code: code, reason: reason}
		m.end(wire.Errorf(code, "the link was reset: %s", reason))
	}
}

// end ends the link. What the far side must hear goes out on the leg there is.
func (m *machine) end(err error) {
	if m.over != nil {
		return
	}
	m.endWith(err)
	if m.mustTell() {
		if m.closedWell() {
			m.lateWord() // nobody waits for it
		} else {
			m.ready(m.cur)
		}
		m.fx.redial = m.needsLeg()
		return
	}
	m.release(m.cur)
	m.cur = nil
}

// endWith ends the link and keeps the leg.
func (m *machine) endWith(err error) {
	m.over = err
	m.fx.over, m.fx.readable, m.fx.writable = true, true, true
	m.out.q.free()
	m.unread = m.in.window - firstWindow
	m.budget.release(m.out.keep - firstWindow)
	if !m.closedWell() || m.in.q.len() == 0 {
		m.freeUnread()
	}
	for _, l := range m.old {
		m.release(l)
	}
	m.old = nil
	m.release(m.ask)
	m.ask = nil
}

func (m *machine) closedWell() bool { return m.over == errComplete }

// settle ends the link when both streams are over.
func (m *machine) settle() {
	if m.over == nil && m.out.done() && (m.in.ended() || m.in.stopped) {
		m.end(errComplete)
	}
}

// oweLater owes the far side an acknowledgement, soon.
func (m *machine) oweLater() {
	if m.ackLater || m.told == m.marks() {
		return
	}
	m.ackLater = true
	m.lateWord()
}

// lateWord has owed called soon.
func (m *machine) lateWord() {
	if !m.ackTimed {
		m.ackTimed, m.fx.ackLater = true, true
	}
}

// ackDue reports that an acknowledgement is to go with what is sent now.
func (m *machine) ackDue() bool {
	return m.ackNow || (m.ackLater && (m.in.ended() || m.in.received() >= m.told.received+ackAlong || m.in.safe() >= m.told.safe+ackAlong))
}

// owed says that the time of an acknowledgement has come.
func (m *machine) owed() {
	m.ackTimed = false
	switch {
	case m.over != nil:
		m.ready(m.cur)
	case m.ackLater:
		m.ackLater, m.ackNow = false, true
		m.ready(m.cur)
	}
}

// How far a window grows whatever the path, in bytes: with a round trip that is
// known, and without.
const (
	freeWindow  = 256 << 10
	blindWindow = 1 << 20
)

// round says that half a window was read since the last round, and doubles the
// window if it may hold the far side back: the application keeps pace, and half
// a window lasts no more than two round trips. A window that is larger than the
// path needs only fills memory that is cold when it is read: that is a tenth of
// the processors' time of bulk on loopback. The round trip is 0 if it is not
// known.
func (m *machine) round(now time.Time, rtt time.Duration) {
	took := now.Sub(m.roundAt)
	m.roundOff, m.roundAt = m.in.q.off, now
	in, free := &m.in, uint64(freeWindow)
	if rtt == 0 {
		free = blindWindow
	}
	if m.over != nil || in.window >= m.most || uint64(in.q.len()) >= in.window/2 || (in.window >= free && took > 2*rtt) {
		return
	}
	if more := min(in.window, m.most-in.window); m.budget.reserve(more) {
		in.window += more
		m.ackNow = true
		m.ready(m.cur)
	}
}

// keepMore doubles what is kept for replay if that is all that holds the
// application back.
func (m *machine) keepMore() {
	out := &m.out
	if out.q.off+out.keep < out.credit && out.keep < m.most {
		if more := min(out.keep, m.most-out.keep); m.budget.reserve(more) {
			out.keep += more
		}
	}
}

// marks is what this end would acknowledge now. Credit that was given is never
// withdrawn.
func (m *machine) marks() marks {
	if m.claiming {
		return m.brought
	}
	return marks{received: m.in.received(), safe: m.in.safe(), credit: max(m.in.credit, min(m.in.q.off+m.in.window, maxOffset))}
}

// mustTell reports that the far side does not know yet that the link is over.
func (m *machine) mustTell() bool { return m.over != nil && !m.farOver }

// freeUnread drops what the application has not read of a link that is over, or
// that it reads no more, and gives the memory back.
func (m *machine) freeUnread() {
	m.in.free()
	m.budget.release(m.unread)
	m.unread = 0
}
