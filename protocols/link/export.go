package link

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// stateVersion begins an exported end.
const stateVersion = 1

// Bits of an exported end.
const (
	stateDialer = 1 << iota
	stateHeard
	stateInEOF
	stateInStopped
	stateInFin
	stateOutFin
	stateOutFinEver
	stateOutStopped
)

// state is an end at one cut: all that another node needs to go on with it.
type state struct {
	id            ID
	service       string
	self, far     peer.ID // who had this end, and who has the other
	flags         uint64
	epoch         uint64
	farEpoch      uint64
	gen           uint64
	grace         uint64 // milliseconds
	read, fin     uint64 // of the stream that comes in
	credit        uint64 // that was given, never to be withdrawn
	safe          uint64 // of the stream that goes out
	received      uint64
	sent          uint64
	farCredit     uint64
	unread, unack []byte // received and not read; written and not safe
}

func (s state) append(b []byte) []byte {
	b = appendUvarints(b, stateVersion)
	b = append(b, s.id[:]...)
	b = appendUvarints(b, s.flags, s.epoch, s.farEpoch, s.gen, s.grace, s.read, s.fin, s.credit,
		s.safe, s.received, s.sent, s.farCredit)
	for _, v := range [][]byte{[]byte(s.service), []byte(s.self), []byte(s.far), s.unread, s.unack} {
		b = append(appendUvarints(b, uint64(len(v))), v...)
	}
	return b
}

// maxPeer bounds a peer ID in an exported end, in bytes.
const maxPeer = 128

// parseState reads an exported end: what another device sends is not trusted.
func parseState(b []byte, most uint64) (s state, err error) {
	p := parser{b: b}
	if v := p.uint(); v != stateVersion {
		return s, wire.Errorf(wire.Unsupported, "an exported link of version %d, this node knows %d", v, stateVersion)
	}
	s.id = p.id()
	s.flags, s.epoch, s.farEpoch, s.gen, s.grace = p.uint(), p.offset(), p.offset(), p.offset(), p.uint()
	s.read, s.fin, s.credit = p.offset(), p.offset(), p.offset()
	s.safe, s.received, s.sent, s.farCredit = p.offset(), p.offset(), p.offset(), p.offset()
	s.service = string(p.bytes(maxService))
	s.self, s.far = peer.ID(p.bytes(maxPeer)), peer.ID(p.bytes(maxPeer))
	s.unread, s.unack = p.bytes(int(most)), p.bytes(int(most))
	if err := p.done("exported link"); err != nil {
		return s, err
	}
	return s, s.check(most)
}

// check refuses what no end can be, and what is beyond this node's means:
// credit that was given must be honoured.
func (s state) check(most uint64) error {
	next, end := s.read+uint64(len(s.unread)), s.safe+uint64(len(s.unack))
	in, out := s.has(stateInFin), s.has(stateOutFinEver)
	switch {
	case s.epoch == maxOffset, next > s.credit && !s.has(stateInStopped), next > maxOffset, end > maxOffset,
		s.has(stateInStopped) && len(s.unread) > 0, s.has(stateOutStopped) && len(s.unack) > 0,
		in && s.fin < next, s.has(stateInEOF) && (!in || s.fin != next || len(s.unread) > 0),
		s.sent > end, s.received < s.safe && !s.has(stateOutStopped), !out && s.received > s.sent, out && s.received > end+1,
		out && (!s.has(stateOutFin) || s.sent != end):
		return wire.Errorf(wire.BadRequest, "an exported link that contradicts itself")
	case s.credit > next && s.credit-s.read > most:
		return wire.Errorf(wire.Limit, "the link may bring %d bytes at once, this node takes %d", s.credit-s.read, most).
			WithNext("raise limits.link_window")
	}
	return nil
}

// window and keep are what an end that goes on from here buffers, in bytes.
func (s state) window() uint64 { return max(firstWindow, s.credit-min(s.credit, s.read)) }

func (s state) keep() uint64 { return max(firstWindow, uint64(len(s.unack))) }

// beyondFirst is the memory that it takes from the budget, in bytes.
func (s state) beyondFirst() uint64 {
	return s.window() + s.keep() - 2*firstWindow
}

func (s state) has(flag uint64) bool { return s.flags&flag != 0 }

// freeze stops the end, so that it can be exported: it takes and sends no more.
// Every leg is released; the far side is told to come again later.
func (m *machine) freeze() {
	m.frozen = true
	m.fence()
}

// thaw lets the end go on.
func (m *machine) thaw(now time.Time) {
	m.frozen = false
	m.fx.readable, m.fx.writable = true, true
	m.lostAt = time.Time{} // grace stood still
	m.detach(errThawed, now)
}

// exported ends an end that goes on elsewhere.
func (m *machine) exported(hint []byte) {
	m.hint, m.moved = hint, true
	m.end(wire.Errorf(wire.Moved, "the link goes on at another node"))
}

// export gives the frozen end.
func (m *machine) export(self, far peer.ID) state {
	in, out := &m.in, &m.out
	s := state{
		id: m.id, service: m.service, self: self, far: far, epoch: m.epoch, farEpoch: m.farEpoch, gen: m.gen,
		grace: uint64(m.grace / time.Millisecond), read: in.q.off, credit: in.credit,
		safe: out.q.off, received: out.received, sent: out.sent, farCredit: out.credit,
		unread: make([]byte, in.q.len()), unack: make([]byte, out.q.len()),
	}
	in.q.copyAt(in.q.off, s.unread)
	out.q.copyAt(out.q.off, s.unack)
	for flag, set := range map[uint64]bool{
		stateDialer: m.dialer, stateHeard: m.heard, stateInEOF: in.eof, stateInStopped: in.stopped, stateInFin: in.ended(),
		stateOutFin: out.fin, stateOutFinEver: out.finEver, stateOutStopped: out.stopped,
	} {
		if set {
			s.flags |= flag
		}
	}
	if in.ended() {
		s.fin = in.fin
	}
	return s
}

// reclaim lets a frozen end go on as if it had been imported here.
func (m *machine) reclaim(epoch uint64, token []byte, now time.Time) {
	if !m.frozen || m.over != nil {
		return
	}
	m.in.ahead.free() // no state has it
	m.claim(epoch, token)
	m.thaw(now)
}

// claim has an end seek the far side itself, which is to take this node for its
// owner.
func (m *machine) claim(epoch uint64, token []byte) {
	m.seeks, m.epoch, m.token = true, epoch, token
	m.claiming, m.brought = true, marks{received: m.in.received(), safe: m.in.safe(), credit: m.in.credit}
}

// restore makes the machine of an end that another node exported, which is to
// claim it.
func restore(s state, set settings) *machine {
	m := newMachine(set)
	m.heard = s.has(stateHeard)
	m.epoch, m.farEpoch, m.gen = s.epoch, s.farEpoch, s.gen
	in, out := &m.in, &m.out
	in.q.startAt(s.read)
	in.q.append(s.unread)
	in.credit, in.eof, in.stopped = s.credit, s.has(stateInEOF), s.has(stateInStopped)
	in.window = s.window()
	if s.has(stateInFin) {
		in.fin = s.fin
	}
	out.q.startAt(s.safe)
	out.q.append(s.unack)
	out.received, out.safe, out.sent, out.next, out.credit = s.received, s.safe, s.sent, s.safe, s.farCredit
	out.keep = s.keep()
	out.fin, out.finEver, out.stopped = s.has(stateOutFin), s.has(stateOutFinEver), s.has(stateOutStopped)
	return m
}
