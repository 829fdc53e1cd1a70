package trunk

import (
	"io"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxSmall is how many bytes Inbox.Next gives at most.
const MaxSmall = 4 << 10

// Inbox is the payload of the frame that is being received. It reads from the
// carrier's stream itself, into whatever memory it is given.
type Inbox struct {
	src  io.Reader
	left int   // bytes of payload that were not read
	err  error // why src gives no more

	buf  [MaxSmall + maxHeader]byte
	r, w int // buf[r:w] was read ahead
}

// Len is how many bytes of the payload are unread.
func (in *Inbox) Len() int { return in.left }

// Read reads payload. At its end the error is io.EOF.
func (in *Inbox) Read(p []byte) (int, error) {
	if in.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), in.left)]
	if in.r < in.w {
		n := copy(p, in.buf[in.r:in.w])
		in.r += n
		in.left -= n
		return n, nil
	}
	if len(p) < len(in.buf)/2 { // what follows may come along
		if err := in.fill(); err != nil {
			return 0, err
		}
		return in.Read(p)
	}
	n, err := in.src.Read(p)
	in.left -= n
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, in.failed(err)
}

// Full fills p with payload. A payload that is too short for it is BadRequest.
func (in *Inbox) Full(p []byte) error {
	if len(p) > in.left {
		return in.short(len(p))
	}
	for len(p) > 0 {
		n, err := in.Read(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Next gives the next n bytes of the payload, valid until the next call; n is
// at most MaxSmall. A payload that is too short is BadRequest.
func (in *Inbox) Next(n int) ([]byte, error) {
	if n > in.left {
		return nil, in.short(n)
	}
	if n > MaxSmall {
		return nil, wire.Errorf(wire.TooLarge, "%d bytes where %d are the most", n, MaxSmall)
	}
	for in.w-in.r < n {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	b := in.buf[in.r : in.r+n : in.r+n]
	in.r += n
	in.left -= n
	return b, nil
}

// Small gives the whole payload, valid until the next call. One above max,
// which is at most MaxSmall, is TooLarge.
func (in *Inbox) Small(max int) ([]byte, error) {
	if in.left > max {
		return nil, wire.Errorf(wire.TooLarge, "a payload of %d bytes; %d is the most here", in.left, max)
	}
	return in.Next(in.left)
}

// Uvarint reads a minimal uvarint of the payload.
func (in *Inbox) Uvarint() (uint64, error) {
	for {
		have := in.buf[in.r:min(in.w, in.r+in.left)]
		v, n, err := uvarint(have, 1<<64-1)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			in.r += n
			in.left -= n
			return v, nil
		}
		if len(have) == in.left {
			return 0, in.short(in.left + 1)
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
}

func (in *Inbox) short(want int) error {
	return wire.Errorf(wire.BadRequest, "a payload has %d bytes left where %d are needed", in.left, want)
}

// header reads the header of the next frame.
func (in *Inbox) header() (header, int, error) {
	for {
		h, n, err := parseHeader(in.buf[in.r:in.w])
		if err != nil {
			return h, 0, err
		}
		if n > 0 {
			in.r += n
			in.left = h.length
			return h, n, nil
		}
		if err := in.fill(); err != nil {
			return h, 0, err
		}
	}
}

// skip passes over what is unread.
func (in *Inbox) skip() error {
	for in.left > 0 {
		n := min(in.left, in.w-in.r)
		in.r += n
		in.left -= n
		if in.left == 0 {
			return nil
		}
		if err := in.fill(); err != nil {
			return err
		}
	}
	return nil
}

// fill reads ahead. There is room, since nobody wants more than MaxSmall bytes
// or a header in one piece.
func (in *Inbox) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if in.r > 0 && len(in.buf)-in.w < maxHeader || in.w == len(in.buf) {
		in.w = copy(in.buf[:], in.buf[in.r:in.w])
		in.r = 0
	}
	n, err := in.src.Read(in.buf[in.w:])
	in.w += n
	if n > 0 || err == nil {
		return nil
	}
	return in.failed(err)
}

// failed notes that the stream has ended: that is no fault of the payload's
// reader, whatever it makes of it.
func (in *Inbox) failed(err error) error {
	if err == io.EOF && in.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	in.err = err
	return err
}
