package replica

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// MaxBody caps an entry's body in bytes.
	MaxBody = 64 << 10
	// MaxCounter is the last counter of a log.
	MaxCounter = 1 << 62
	// MaxAuthors caps the authors of one conversation whose logs a device takes
	// from others; its own may come on top.
	MaxAuthors = 1024
	// MaxConversations caps the conversations of one account.
	MaxConversations = 4096

	idSize    = 16
	maxKind   = 127
	maxSent   = 1<<48 - 1
	maxRecord = idSize + 2 + binary.MaxVarintLen64 + MaxBody
)

// Kind says what an entry's body is.
type Kind uint8

// The kinds. Numbers are part of the wire format and never reused.
const (
	Text      Kind = 1 // what somebody says, UTF-8
	Delivered Kind = 2 // Marks: the author holds what they name
	Read      Kind = 3 // Marks: a person has seen what they name
	State     Kind = 4 // bytes of the application
)

// Author writes a log: a device, in one epoch. It is comparable.
type Author struct {
	Device identity.Principal
	Epoch  uint64 // random; another one after the device's store was restored
}

// Key names a log: its author, and the conversation by the other account.
type Key struct {
	With   identity.Principal
	Author Author
}

// ID names an entry: its stamp, big endian, and 64 random bits.
type ID [idSize]byte

// Stamp is the clock's part of the ID.
func (id ID) Stamp() Stamp { return Stamp(binary.BigEndian.Uint64(id[:8])) }

// MakeID joins a stamp and random bits.
func MakeID(s Stamp, random uint64) (id ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(s))
	binary.BigEndian.PutUint64(id[8:], random)
	return id
}

// Entry is one entry of a log.
type Entry struct {
	Key
	Counter uint64 // from 1
	ID      ID
	Kind    Kind
	Sent    uint64 // Unix milliseconds by the author's clock
	Body    []byte
}

// Check refuses, in wire's words, an entry that no honest device writes.
func (e *Entry) Check() error {
	switch {
	case e.Counter == 0 || e.Counter > MaxCounter:
		return wire.Errorf(wire.BadRequest, "entry: counter %d", e.Counter)
	case e.ID[0] >= 0x80:
		return wire.Errorf(wire.BadRequest, "entry: stamp beyond all time")
	case e.Sent > maxSent:
		return wire.Errorf(wire.BadRequest, "entry: sent beyond all time")
	}
	return CheckBody(e.Kind, e.Body)
}

// CheckBody refuses a body that its kind does not allow.
func CheckBody(kind Kind, body []byte) error {
	if len(body) > MaxBody {
		return wire.Errorf(wire.TooLarge, "the message has %d bytes, at most %d", len(body), MaxBody).
			WithNext("send it in parts, or as a file")
	}
	switch {
	case kind == 0 || kind > maxKind:
		return wire.Errorf(wire.BadRequest, "entry of kind %d", kind)
	case kind == Text && (len(body) == 0 || !utf8.Valid(body)):
		return wire.Errorf(wire.BadRequest, "the text is empty or not UTF-8")
	case kind == Delivered || kind == Read:
		_, err := ParseMarks(body)
		return err
	}
	return nil
}

// AppendRecord appends the entry's record: all of it but author and counter.
func (e *Entry) AppendRecord(b []byte) []byte {
	b = append(b, e.ID[:]...)
	b = binary.AppendUvarint(b, uint64(e.Kind))
	b = binary.AppendUvarint(b, e.Sent)
	return append(b, e.Body...)
}

// ParseRecord reads what AppendRecord made into e, whose body then aliases b,
// and checks e.
func (e *Entry) ParseRecord(b []byte) error {
	p := parser{b: b}
	copy(e.ID[:], p.take(idSize))
	kind := p.uint(maxKind)
	e.Kind, e.Sent = Kind(kind), p.uint(maxSent)
	e.Body = p.b
	if p.bad {
		return wire.Errorf(wire.BadRequest, "entry: record is cut off or not as it must be")
	}
	return e.Check()
}

// Same reports that two entries of one log have one content.
func (e *Entry) Same(o *Entry) bool {
	return e.ID == o.ID && e.Kind == o.Kind && e.Sent == o.Sent && bytes.Equal(e.Body, o.Body)
}

// Tag is the random half of an ID, by which the ends of two runs are compared.
type Tag [8]byte

// Tag returns the ID's tag.
func (id ID) Tag() Tag { return Tag(id[8:]) }

// Shown is an entry in its place among all of its conversation.
type Shown struct {
	Entry
	Place ID
}

// Draft is an entry of this device before it is written.
type Draft struct {
	Kind Kind
	Body []byte
}
