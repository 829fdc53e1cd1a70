package link

import "github.com/panpipe-net/panpipe/protocols/wire"

// inbound is the receiving half of an end: what has arrived and the
// application has not read. Pure.
//
//	0 ······ read ━━━━━━━━ next ┄┄ gap ┄┄ ahead.off ━━━━ ahead.end ······ credit
//	         safe          received
//
// There is a gap only while the far side changes legs: its later bytes, on the
// new leg, have overtaken earlier ones, on the old.
type inbound struct {
	q       queue // read to next
	ahead   queue // beyond the gap; empty without one
	credit  uint64
	window  uint64 // how far credit goes beyond read
	fin     uint64 // where the stream ends; noOffset while unknown
	eof     bool   // the application has read the end
	stopped bool   // the application reads no more
}

func newInbound(window uint64) inbound {
	return inbound{credit: window, window: window, fin: noOffset}
}

// received is the mark of that name.
func (in *inbound) received() uint64 {
	if in.ended() {
		return in.fin + 1
	}
	return in.q.end
}

// safe is the mark of that name.
func (in *inbound) safe() uint64 {
	if in.eof || (in.stopped && in.ended()) {
		return in.fin + 1
	}
	return in.q.off
}

// ended reports that all of the stream has arrived, its end included.
func (in *inbound) ended() bool { return in.fin == in.q.end }

// gap reports that bytes wait for earlier ones.
func (in *inbound) gap() bool { return in.ahead.len() > 0 || (in.fin != noOffset && in.fin > in.q.end) }

// check says whether bytes off to end may come.
func (in *inbound) check(off, end uint64) error {
	switch {
	case end > in.credit && !in.stopped:
		return wire.Errorf(wire.BadRequest, "bytes up to %d were sent, %d are allowed", end, in.credit)
	case end > in.fin:
		return wire.Errorf(wire.BadRequest, "bytes up to %d were sent of a stream that ends at %d", end, in.fin)
	}
	return nil
}

// take takes the first n bytes of c, which stand at offset off and have been
// checked. What has come before is left out. It owns c from now on.
func (in *inbound) take(off uint64, c *chunk, n int) {
	end := off + uint64(n)
	switch {
	case end <= in.q.end:
		c.free()
	case in.stopped:
		in.skip(off, end)
		c.free()
	case off <= in.q.end:
		in.q.push(c, int(in.q.end-off), n)
		in.close()
	default:
		in.hold(off, c, n)
	}
}

// takeBytes is take for few bytes, which it copies.
func (in *inbound) takeBytes(off uint64, b []byte) {
	end := off + uint64(len(b))
	if off <= in.q.end && end > in.q.end && !in.stopped {
		in.q.append(b[in.q.end-off:])
		in.close()
		return
	}
	c := newChunk(len(b))
	in.take(off, c, copy(c.b, b))
}

// skip counts bytes that nobody will read as received and read.
func (in *inbound) skip(off, end uint64) {
	if off <= in.q.end {
		in.q.startAt(end)
	}
}

// hold keeps bytes beyond the gap, if they join those that are held. Others are
// dropped, and will be asked for.
func (in *inbound) hold(off uint64, c *chunk, n int) {
	if in.ahead.len() == 0 {
		in.ahead.startAt(off)
	}
	if end := off + uint64(n); off <= in.ahead.end && off >= in.ahead.off && end > in.ahead.end {
		in.ahead.push(c, int(in.ahead.end-off), n)
		return
	}
	c.free()
}

// close joins what is beyond the gap once the gap is filled.
func (in *inbound) close() {
	switch {
	case in.ahead.len() == 0 || in.ahead.off > in.q.end:
	case in.ahead.end <= in.q.end:
		in.ahead.free()
	default:
		in.ahead.skipTo(in.q.end)
		in.q.join(&in.ahead)
	}
}

// finish takes the end of the stream.
func (in *inbound) finish(at uint64) error {
	switch {
	case in.fin != noOffset && in.fin != at:
		return wire.Errorf(wire.BadRequest, "a stream that ends at %d is said to end at %d", in.fin, at)
	case at < in.q.end || at < in.ahead.end:
		return wire.Errorf(wire.BadRequest, "a stream is said to end at %d, before what has come of it", at)
	case at > in.credit && !in.stopped:
		return wire.Errorf(wire.BadRequest, "a stream is said to end at %d, beyond its credit of %d", at, in.credit)
	}
	in.fin = at
	if in.stopped {
		in.q.startAt(at)
	}
	return nil
}

// read gives the application bytes. It is 0, true at the end of the stream.
func (in *inbound) read(b []byte) (n int, eof bool) {
	n = in.q.read(b)
	return n, n == 0 && in.atEnd()
}

// readParts is read without a copy: it adds pieces to parts, up to so many bytes
// and what parts has room for.
func (in *inbound) readParts(parts []part, most int) (_ []part, eof bool) {
	parts = in.q.take(parts, most)
	return parts, len(parts) == 0 && in.atEnd()
}

// atEnd notes that the application has read the end, if it has.
func (in *inbound) atEnd() bool {
	if in.ended() && in.q.len() == 0 {
		in.eof = true
		return true
	}
	return false
}

// readable reports that read has something to say.
func (in *inbound) readable() bool { return in.q.len() > 0 || in.ended() }

// stop drops what is and what will come.
func (in *inbound) stop() {
	in.stopped = true
	in.q.skipTo(in.q.end)
	in.ahead.free()
	if in.fin != noOffset {
		in.q.startAt(in.fin)
	}
}

// grant moves the credit as far as the window allows, and reports whether the
// far side should hear of it now: it has used half of what it had.
func (in *inbound) grant() bool {
	limit := in.q.off + in.window
	if limit <= in.credit || in.stopped {
		return false
	}
	return limit-in.credit >= in.window/4
}

func (in *inbound) free() {
	in.q.free()
	in.ahead.free()
}
