package link

import (
	"encoding/binary"
	"math"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// kind is the type byte of a frame. Numbers below 16 are the trunk's.
type kind = trunk.Kind

// The frames of a link. Numbers are part of the wire format and never reused.
const (
	kindOpen    kind = 16 // a new link, or one whose OPEN was not answered yet
	kindResume  kind = 17 // a new leg for a link
	kindResumed kind = 18 // the answer to both
	kindRefused kind = 19 // the other answer
	kindData    kind = 20
	kindSeek    kind = 21 // where the next DATA stands
	kindAck     kind = 22
	kindFin     kind = 23
	kindStop    kind = 24 // the sender reads no more
	kindReset   kind = 25
	kindRewind  kind = 26 // send again from here
	kindClose   kind = 27 // the sender has sent and received all there is
)

const (
	maxService = 64   // bytes of a service's name
	maxToken   = 2048 // bytes of what authorises another node
	maxHint    = 1024 // bytes of where a link has moved
	maxReason  = 256  // bytes of why a link was reset

	// maxOpening bounds the payload of OPEN, RESUME, RESUMED and REFUSED.
	maxOpening = IDSize + 12*binary.MaxVarintLen64 + maxToken + maxService
	// maxControl bounds the payload of all other frames but DATA.
	maxControl = 3*binary.MaxVarintLen64 + maxReason
)

// noOffset is no offset at all. Streams end before it.
const noOffset = math.MaxUint64

// maxOffset is where every stream ends, in bytes: sums of offsets and windows
// do not overflow.
const maxOffset = 1 << 62

// marks is how far one end has come with what it receives.
type marks struct {
	received uint64 // all before it has arrived; one more for FIN
	safe     uint64 // all before it needs no replay; one more for FIN
	credit   uint64 // the far side may send up to here
}

// opening is the payload of OPEN.
type opening struct {
	id       ID
	gen      uint64
	features uint64
	credit   uint64 // what the far side may send before it hears more
	grace    uint64 // milliseconds
	service  string
}

func (o opening) append(b []byte) []byte {
	b = append(b, o.id[:]...)
	b = appendUvarints(b, o.gen, o.features, o.credit, o.grace, uint64(len(o.service)))
	return append(b, o.service...)
}

func parseOpening(b []byte) (o opening, err error) {
	p := parser{b: b}
	o.id = p.id()
	o.gen, o.features, o.credit, o.grace = p.uint(), p.uint(), p.offset(), p.uint()
	o.service = string(p.bytes(maxService))
	return o, p.done("OPEN")
}

// Bits of resume.flags.
const (
	flagPlanned = 1 << 0 // the leg before it still works
	flagStopped = 1 << 1 // the sender reads no more
)

// resume is the payload of RESUME; that of RESUMED is the same without the ID.
type resume struct {
	id       ID
	gen      uint64
	flags    uint64
	epoch    uint64 // of the sender's end
	farEpoch uint64 // of the receiver's end, as the sender knows it
	marks    marks
	from     uint64 // where the sender's DATA on this leg begins, plus 1; 0: SEEK will say
	token    []byte // authorises a sender that is not the node known for its end
}

func (r resume) append(b []byte) []byte {
	b = appendUvarints(b, r.gen, r.flags, r.epoch, r.farEpoch,
		r.marks.received, r.marks.safe, r.marks.credit, r.from, uint64(len(r.token)))
	return append(b, r.token...)
}

func (r resume) appendWithID(b []byte) []byte { return r.append(append(b, r.id[:]...)) }

func parseResume(b []byte) (r resume, err error) {
	p := parser{b: b}
	r = p.resume(p.id())
	return r, p.done("RESUME")
}

func parseResumed(b []byte) (r resume, err error) {
	p := parser{b: b}
	r = p.resume(ID{})
	return r, p.done("RESUMED")
}

func (p *parser) resume(id ID) resume {
	r := resume{id: id, gen: p.uint(), flags: p.uint(), epoch: p.offset(), farEpoch: p.offset()}
	r.marks = marks{received: p.offset(), safe: p.offset(), credit: p.offset()}
	r.from = p.offset()
	r.token = p.bytes(maxToken)
	return r
}

// refusal is the payload of REFUSED.
type refusal struct {
	code wire.Code
	gen  uint64 // the highest that the sender knows
	hint []byte // with Moved: where to, as whoever exported the end wrote it
}

func (r refusal) append(b []byte) []byte {
	b = appendUvarints(b, uint64(r.code), r.gen, uint64(len(r.hint)))
	return append(b, r.hint...)
}

func parseRefusal(b []byte) (r refusal, err error) {
	p := parser{b: b}
	r.code, r.gen, r.hint = p.code(), p.uint(), p.bytes(maxHint)
	return r, p.done("REFUSED")
}

// reset is the payload of RESET.
type reset struct {
	code   wire.Code
	reason string
}

func (r reset) append(b []byte) []byte {
	b = appendUvarints(b, uint64(r.code), uint64(len(r.reason)))
	return append(b, r.reason...)
}

func parseReset(b []byte) (r reset, err error) {
	p := parser{b: b}
	r.code, r.reason = p.code(), string(p.bytes(maxReason))
	return r, p.done("RESET")
}

// append is the payload of ACK.
func (m marks) append(b []byte) []byte { return appendUvarints(b, m.received, m.safe, m.credit) }

func parseAck(b []byte) (m marks, err error) {
	p := parser{b: b}
	m = marks{received: p.offset(), safe: p.offset(), credit: p.offset()}
	return m, p.done("ACK")
}

// parseOffset reads the payload of SEEK, FIN and REWIND.
func parseOffset(b []byte) (uint64, error) {
	p := parser{b: b}
	off := p.offset()
	return off, p.done("an offset")
}

func appendUvarints(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// parser reads fields one after another; the first fault stands. What follows
// the last field is of a later version and is left alone.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || (n > 1 && p.b[n-1] == 0) { // truncated, too long, or not minimal
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) offset() uint64 {
	v := p.uint()
	if v > maxOffset {
		p.bad = true
	}
	return v
}

func (p *parser) code() wire.Code {
	v := p.uint()
	if v > math.MaxUint32 {
		p.bad = true
	}
	return wire.Code(v)
}

func (p *parser) bytes(most int) []byte {
	n := p.uint()
	if n > uint64(most) || n > uint64(len(p.b)) {
		p.b, p.bad = nil, true
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) id() (id ID) {
	if len(p.b) < IDSize {
		p.b, p.bad = nil, true
		return id
	}
	copy(id[:], p.b)
	p.b = p.b[IDSize:]
	return id
}

func (p *parser) done(what string) error {
	if p.bad {
		return wire.Errorf(wire.BadRequest, "malformed frame: %s", what)
	}
	return nil
}
