package pairing

import (
	"bufio"
	"encoding/binary"
	"io"
	"unicode/utf8"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/cpace"
)

// kind says which message of an attempt this is.
type kind uint8

const (
	kindHello   kind = 1 // guest: where, which run, share
	kindAnswer  kind = 2 // host: share
	kindClaim   kind = 3 // guest: proof, and the device it is
	kindGrant   kind = 4 // host: proof, and the account
	kindDone    kind = 5 // guest: it has all
	kindRefusal kind = 6 // host: why not
)

// Field numbers of messages.
const (
	fieldKind    = 1
	fieldMailbox = 2
	fieldSession = 3
	fieldShare   = 4
	fieldProof   = 5
	fieldBox     = 6
	fieldName    = 7
	fieldBundle  = 8
	fieldCode    = 9
	fieldText    = 10
	fieldLeft    = 11
)

// Sizes in bytes.
const (
	sessionSize = 16
	proofSize   = 32
	boxSize     = 32
	maxText     = 256
	maxSmall    = 1 << 10 // any message but a grant
	maxGrant    = account.MaxBundle + 64
)

// message is one of them all; each kind has the fields that it needs.
type message struct {
	kind    kind
	mailbox Mailbox
	session [sessionSize]byte
	share   [cpace.ShareSize]byte
	proof   [proofSize]byte
	box     [boxSize]byte
	name    string
	bundle  []byte
	code    wire.Code
	text    string
	left    int // guesses that are left, with a refusal
}

func (m message) bytes() []byte {
	var b wire.Builder
	b.Uint(fieldKind, uint64(m.kind))
	if m.kind == kindHello {
		b.Bytes(fieldMailbox, m.mailbox[:]).Bytes(fieldSession, m.session[:])
	}
	if m.kind == kindHello || m.kind == kindAnswer {
		b.Bytes(fieldShare, m.share[:])
	}
	if m.kind == kindClaim || m.kind == kindGrant {
		b.Bytes(fieldProof, m.proof[:])
	}
	if m.kind == kindClaim {
		b.Bytes(fieldBox, m.box[:]).String(fieldName, m.name)
	}
	if m.kind == kindGrant {
		b.Bytes(fieldBundle, m.bundle)
	}
	if m.kind == kindRefusal {
		b.Uint(fieldCode, uint64(m.code)).String(fieldText, m.text).Uint(fieldLeft, uint64(m.left))
	}
	return b.Build()
}

// parseMessage reads what bytes made. Errors are BadRequest, TooLarge, and
// Unsupported for a kind or field that this version does not know.
func parseMessage(b []byte) (message, error) {
	f, err := wire.ParseFields(b)
	if err != nil {
		return message{}, err
	}
	m := message{kind: kind(f.Uint(fieldKind, 1<<8-1))}
	switch m.kind {
	case kindHello:
		exact(f, fieldMailbox, m.mailbox[:])
		exact(f, fieldSession, m.session[:])
		exact(f, fieldShare, m.share[:])
	case kindAnswer:
		exact(f, fieldShare, m.share[:])
	case kindClaim:
		exact(f, fieldProof, m.proof[:])
		exact(f, fieldBox, m.box[:])
		m.name = f.String(fieldName, account.MaxName)
	case kindGrant:
		exact(f, fieldProof, m.proof[:])
		m.bundle = f.Bytes(fieldBundle, account.MaxBundle)
	case kindDone:
	case kindRefusal:
		m.code = wire.Code(f.Uint(fieldCode, 1<<32-1))
		m.text = f.String(fieldText, maxText)
		m.left = int(f.Uint(fieldLeft, guesses))
	default:
		return message{}, wire.Errorf(wire.Unsupported, "message of kind %d", m.kind)
	}
	return m, f.Done()
}

// exact reads a field that has to fill to.
func exact(f *wire.Fields, num uint64, to []byte) {
	b := f.Bytes(num, len(to))
	if len(b) != len(to) {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d of %d bytes, expected %d", num, len(b), len(to)))
		return
	}
	copy(to, b)
}

// refusal tells the far side why not.
func refusal(err error, left int) message {
	text := err.Error()
	for len(text) > maxText || !utf8.ValidString(text) {
		text = text[:min(len(text)-1, maxText)]
	}
	return message{kind: kindRefusal, code: wire.CodeOf(err), text: text, left: left}
}

// send writes a message with its length before it.
func send(w io.Writer, m message) error {
	b := m.bytes()
	_, err := w.Write(append(binary.AppendUvarint(nil, uint64(len(b))), b...))
	return err
}

// receive reads a message of at most limit bytes. A longer one is TooLarge
// before it is read.
func receive(r *bufio.Reader, limit int) (message, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return message{}, err
	}
	if n > uint64(limit) {
		return message{}, wire.Errorf(wire.TooLarge, "message of %d bytes, at most %d", n, limit)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return message{}, err
	}
	return parseMessage(b)
}
