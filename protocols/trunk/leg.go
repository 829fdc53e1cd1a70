package trunk

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxRefusal is how many bytes of payload Leg.Refuse takes at most.
const MaxRefusal = 1 << 10

// Leg is one user's part of a carrier: a run of frames each way that begins
// with one side's first frame and ends when both have left.
type Leg struct {
	c        *carrier
	owner    Owner // fixed once accepted; nil for one that was refused
	outgoing bool

	// Owned by who pumps the carrier.
	opened   bool   // the handle is given
	handle   uint64 // 0 until then
	headSize int    // bytes of a header of a large frame

	// Guarded by c.mu.
	turn      turn
	leaving   *Leg     // next in the queue of those that leave
	refusal   *refusal // what is sent before LEAVE
	datagrams *datagramQueue
	code      wire.Code // of LEAVE
	lost      error     // what Lost will be told; nil if it is not to be called

	accepting bool // Accept runs
	ready     bool // the owner has something to pull
	calls     int8 // of the owner that run, those of Receive excepted
	released  bool // no further call to the owner
	settled   bool // the owner's last call is over
	left      bool // LEAVE was written, or the leg was never opened
	farLeft   bool // LEAVE was read
}

// refusal is a last frame.
type refusal struct {
	kind    Kind
	payload []byte
}

// Path is the path that carries the leg.
func (l *Leg) Path() reach.Path { return l.c.path }

// Peer is the node at the far end.
func (l *Leg) Peer() peer.ID { return l.c.path.Peer() }

// Own reports that the leg has a carrier of its own.
func (l *Leg) Own() bool { return l.c.own }

// Shared reports that the carrier has other legs now.
func (l *Leg) Shared() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.c.legCount() > 1
}

// Outgoing reports that this side opened the leg.
func (l *Leg) Outgoing() bool { return l.outgoing }

// Ready says that the owner has something to pull. It is cheap and may be
// repeated. On an idle carrier it pulls and writes at once, on the caller's
// goroutine; so the Owner's locks must be free, and Receive, which must not
// wait for a write, calls ReadySoon.
func (l *Leg) Ready() { l.c.ready(l, true) }

// ReadySoon is Ready for callers that must not wait: the carrier's own
// goroutine writes.
func (l *Leg) ReadySoon() { l.c.ready(l, false) }

// Release ends the leg for its owner, who gets no further call but those
// running. The far side is told after what was pulled.
func (l *Leg) Release() { l.c.release(l, nil, wire.OK) }

// Refuse is Release with a last frame, whose payload is at most MaxRefusal
// bytes. When too many of them wait, the far side is told no more than that
// this side is busy.
func (l *Leg) Refuse(kind Kind, payload []byte) {
	l.c.release(l, &refusal{kind, append([]byte(nil), payload...)}, wire.OK)
}

// open gives an outgoing leg its handle: the first frame is about to be
// written. Handles rise on each carrier in the order of these frames.
func (l *Leg) open() {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	l.setHandle(c.line.handle())
	c.given = l.handle
	delete(c.unopened, l)
	c.legs[l.handle] = l
}

func (l *Leg) setHandle(handle uint64) {
	l.handle = handle
	l.headSize = uvarintSize(handle) + 1 + 3
	l.opened = true
}
