package replica

import (
	"encoding/binary"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

type frameType uint8

// The frames. Numbers are part of the wire format and never reused.
const (
	frameHello        frameType = 1
	frameLog          frameType = 2
	frameConversation frameType = 3
	frameAuthor       frameType = 4
	frameReady        frameType = 5
	frameHave         frameType = 6
	frameEntry        frameType = 7
	frameBye          frameType = 8
	frameStop         frameType = 9

	skipFrom = 128 // unknown types from here on are skipped
)

const (
	version        = 1
	maxSmall       = 64
	maxAuthorFrame = 160
	maxBye         = 256
	maxLog         = 16 << 10
	maxEntryFrame  = MaxBody + 128

	// MaxFrame caps a whole frame in bytes.
	MaxFrame = 1 + 3 + maxEntryFrame

	maxAuthorNumber = 1<<16 - 1
	maxDeclared     = 2 * MaxAuthors // in one conversation
	maxShown        = 64             // LOGs of one session
)

// frame is any frame; fields that its type does not have are zero.
type frame struct {
	typ      frameType
	version  byte               // HELLO
	features uint64             // HELLO
	log      []byte             // LOG
	with     identity.Principal // CONVERSATION; zero for "ours"
	number   uint64             // of a conversation in AUTHOR, else of an author
	author   Author             // AUTHOR
	run      Run                // AUTHOR, HAVE
	entry    Entry              // ENTRY, without its key
	code     wire.Code          // BYE, STOP
	reason   string             // BYE
}

// limit is the cap of a frame's payload.
func (t frameType) limit() uint64 {
	switch t {
	case frameLog:
		return maxLog
	case frameAuthor:
		return maxAuthorFrame
	case frameEntry:
		return maxEntryFrame
	case frameBye:
		return maxBye
	}
	return maxSmall
}

func (f *frame) append(b []byte) []byte {
	if f.typ == frameEntry {
		return f.appendEntry(b)
	}
	p := f.payload(make([]byte, 0, maxAuthorFrame))
	b = append(b, byte(f.typ))
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

func (f *frame) payload(p []byte) []byte {
	switch f.typ {
	case frameHello:
		return binary.AppendUvarint(append(p, f.version), f.features)
	case frameLog:
		return append(p, f.log...)
	case frameConversation:
		return append(p, f.with.Bytes()...)
	case frameAuthor:
		p = binary.AppendUvarint(p, f.number)
		return appendRun(appendAuthor(p, f.author), f.run)
	case frameHave:
		return appendRun(binary.AppendUvarint(p, f.number), f.run)
	case frameStop:
		return binary.AppendUvarint(binary.AppendUvarint(p, f.number), uint64(f.code))
	case frameBye:
		return append(binary.AppendUvarint(p, uint64(f.code)), f.reason...)
	}
	return p
}

// appendEntry writes in place what there are many of.
func (f *frame) appendEntry(b []byte) []byte {
	e := &f.entry
	size := uvarintLen(f.number) + uvarintLen(e.Counter) + idSize + uvarintLen(uint64(e.Kind)) + uvarintLen(e.Sent) + len(e.Body)
	b = append(b, byte(frameEntry))
	b = binary.AppendUvarint(b, uint64(size))
	b = binary.AppendUvarint(b, f.number)
	b = binary.AppendUvarint(b, e.Counter)
	return e.AppendRecord(b)
}

func appendRun(b []byte, r Run) []byte {
	b = binary.AppendUvarint(b, r.Low)
	b = binary.AppendUvarint(b, r.High)
	return append(b, r.Tag[:]...)
}

// Bye returns the frame that ends a session, with err's word and text.
func Bye(err error) []byte {
	reason := strings.ToValidUTF8(err.Error(), "\ufffd")
	if most := maxBye - binary.MaxVarintLen32; len(reason) > most {
		reason = strings.ToValidUTF8(reason[:most], "")
	}
	f := frame{typ: frameBye, code: wire.CodeOf(err), reason: reason}
	return f.append(nil)
}
