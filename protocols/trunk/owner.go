package trunk

// Owner is who uses a leg. The trunk holds no lock while it calls one, and an
// Owner must hold none of its own while it calls the trunk. Pull, Receive and
// Datagram may run at the same time as each other, but none at the same time
// as itself for one leg.
type Owner interface {
	// Pull puts the next frames of leg into out, until out.Room is too small
	// for the next one or nothing is left, and tells whether there is more. It
	// must not block.
	Pull(leg *Leg, out *Outbox) (more bool)

	// Receive takes one frame. It may wait for nothing but in, whose bytes
	// the peer still sends; what it leaves unread is skipped. An error says
	// that the peer broke the rules, and ends the carrier. It calls ReadySoon
	// rather than Ready.
	Receive(leg *Leg, kind Kind, in *Inbox) error

	// Datagram takes a datagram. The bytes are the callee's during the call.
	Datagram(leg *Leg, b []byte)

	// Lost is the last call for leg: the carrier is gone, or the far side has
	// left it, and cause says why. It is not called after Release or Refuse.
	Lost(leg *Leg, cause error)
}

// Outbox takes the frames of one turn of a leg. It is valid during Pull.
type Outbox struct {
	batch *batch
	leg   *Leg
	room  int // bytes of headers and payloads that the turn may still use
}

// batch is what one write to a carrier takes.
type batch struct {
	n    int // bytes in use
	b    []byte
	lent []byte // the whole batch, if not nil, in an owner's memory
}

// bytes are what is to be written.
func (b *batch) bytes() []byte {
	if b.lent != nil {
		return b.lent
	}
	return b.b[:b.n]
}

// reset empties the batch.
func (b *batch) reset() { b.n, b.lent = 0, nil }

// free is the part of the batch that is not in use.
func (b *batch) free() []byte { return b.b[b.n:b.n:len(b.b)] }

// space is how many bytes are left. What was lent is the last.
func (b *batch) space() int {
	if b.lent != nil {
		return 0
	}
	return len(b.b) - b.n
}

// take makes what was appended to free part of the batch.
func (b *batch) take(appended []byte) { b.n += len(appended) }

// Room is how many bytes of payload the next frame may have. It is 0 when the
// turn is over.
func (o *Outbox) Room() int {
	left := min(o.room, o.batch.space(), MaxFrame)
	return max(0, left-o.leg.headSize)
}

// Frame begins a frame with n bytes of payload, at most Room, and returns the
// place where they are to be put before Pull returns.
func (o *Outbox) Frame(kind Kind, n int) []byte {
	if !o.leg.opened {
		o.leg.open()
	}
	b := header{o.leg.handle, kind, n}.append(o.batch.free())
	payload := o.batch.b[o.batch.n+len(b) : o.batch.n+len(b)+n]
	o.batch.n += len(b) + n
	o.room -= len(b) + n
	return payload
}

// HeadRoom is how many bytes before a payload Lend has use for. It takes fewer.
const HeadRoom = 64

// Lend sends a frame with the payload b[from:], at most Room bytes, without
// copying it if all that is to go before it has room in b[:from], which it
// overwrites then. b is to be left alone until the next call for the leg, be it
// Pull or Lost, or forgotten. It ends the turn.
func (o *Outbox) Lend(kind Kind, b []byte, from int) {
	if !o.leg.opened {
		o.leg.open()
	}
	h := header{o.leg.handle, kind, len(b) - from}
	before := o.batch.n + h.size()
	if before > from {
		copy(o.Frame(kind, len(b)-from), b[from:])
		o.room = 0
		return
	}
	start := from - before
	copy(b[start:], o.batch.b[:o.batch.n])
	h.append(b[start+o.batch.n : start+o.batch.n : from])
	o.batch.lent = b[start:]
	o.batch.n = len(o.batch.lent)
	o.room = 0
}
