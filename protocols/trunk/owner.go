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
	n int // bytes in use
	b [MaxFrame]byte
}

// free is the part of the batch that is not in use.
func (b *batch) free() []byte { return b.b[b.n:b.n:MaxFrame] }

// space is how many bytes are left.
func (b *batch) space() int { return MaxFrame - b.n }

// take makes what was appended to free part of the batch.
func (b *batch) take(appended []byte) { b.n += len(appended) }

// Room is how many bytes of payload the next frame may have. It is 0 when the
// turn is over.
func (o *Outbox) Room() int {
	left := min(o.room, o.batch.space())
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
