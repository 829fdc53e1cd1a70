package replica

import (
	"encoding/binary"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// FrameSize returns the size of the frame that b begins with, 0 if b is too
// short to tell. Its errors are BadRequest and TooLarge.
func FrameSize(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	size, n := binary.Uvarint(b[1:min(len(b), 1+4)])
	if n < 0 || n == 0 && len(b) >= 1+4 || n > 1 && b[n] == 0 {
		return 0, wire.Errorf(wire.BadRequest, "frame: bad length")
	}
	if n == 0 {
		return 0, nil
	}
	if t := frameType(b[0]); size > t.limit() {
		return 0, wire.Errorf(wire.TooLarge, "frame %d of %d bytes announced, at most %d", t, size, t.limit())
	}
	return 1 + n + int(size), nil
}

// parseFrame reads the frame that b begins with and its size; the size is 0 if b
// does not hold all of it. What it returns aliases b.
func parseFrame(b []byte) (f frame, size int, err error) {
	size, err = FrameSize(b)
	if err != nil || size == 0 || size > len(b) {
		return f, 0, err
	}
	_, n := binary.Uvarint(b[1:])
	f.typ = frameType(b[0])
	return f, size, f.parse(b[1+n : size : size])
}

func (f *frame) parse(b []byte) error {
	p := parser{b: b}
	switch f.typ {
	case frameHello:
		if v := p.take(1); v != nil {
			f.version = v[0]
		}
		f.features = p.uint(1<<64 - 1)
		p.b = nil // features may bring more
	case frameLog:
		f.log = p.take(len(b))
	case frameConversation:
		f.with, p.bad = parseAccount(p.take(len(b)))
	case frameAuthor:
		f.number, f.author, f.run = p.uint(MaxConversations), p.author(), p.run()
	case frameReady:
		p.b = nil
	case frameHave:
		f.number, f.run = p.uint(maxAuthorNumber), p.run()
	case frameEntry:
		return f.parseEntry(&p)
	case frameStop:
		f.number, f.code = p.uint(maxAuthorNumber), wire.Code(p.uint(1<<32-1))
	case frameBye:
		f.code = wire.Code(p.uint(1<<32 - 1))
		f.reason = strings.ToValidUTF8(string(p.take(len(p.b))), "\ufffd")
	default:
		if f.typ < skipFrom {
			return wire.Errorf(wire.Unsupported, "frame of unknown type %d", f.typ)
		}
		p.b = nil
	}
	if p.bad || len(p.b) > 0 {
		return wire.Errorf(wire.BadRequest, "frame %d does not parse", f.typ)
	}
	return nil
}

func (f *frame) parseEntry(p *parser) error {
	f.number, f.entry.Counter = p.uint(maxAuthorNumber), p.uint(MaxCounter)
	if p.bad {
		return wire.Errorf(wire.BadRequest, "frame %d does not parse", f.typ)
	}
	return f.entry.ParseRecord(p.b)
}

func parseAccount(b []byte) (with identity.Principal, bad bool) {
	if len(b) == 0 {
		return with, false
	}
	with, err := identity.PrincipalFromBytes(b)
	return with, err != nil || with.Kind() != identity.KindAccount
}

// run takes a run and refuses one that cannot be.
func (p *parser) run() (r Run) {
	r.Low, r.High = p.uint(MaxCounter+1), p.uint(MaxCounter)
	copy(r.Tag[:], p.take(len(r.Tag)))
	if r.Low == 0 || r.High < r.Low-1 || r.Empty() && r.Tag != (Tag{}) {
		p.bad = true
	}
	return r
}
