package buddy

import (
	"crypto/rand"
	"io"

	"github.com/panpipe-net/panpipe/protocols/buddy/pb"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Caps of messages in bytes, and how long a Hello may take.
const (
	MaxHello    = 64 << 10
	MaxFrame    = 64 << 10
	MaxOwnFrame = 2 << 20 // between devices of one account
	maxAsk      = 4 << 10
)

// Purpose is what a link is for. Its number is part of the wire format.
type Purpose uint8

// The purposes.
const (
	PurposeAsk    Purpose = 1 // "ask"
	PurposeRoster Purpose = 2 // "roster"
	PurposeChat   Purpose = 3 // "chat"
	PurposeCall   Purpose = 4 // "call"
)

// String returns the word, "none" for a purpose that this version does not know.
func (p Purpose) String() string {
	words := [...]string{"none", "ask", "roster", "chat", "call"}
	if int(p) >= len(words) {
		return words[0]
	}
	return words[p]
}

// Run tells one run of a process from the next.
type Run [16]byte

// NewRun returns a random one.
func NewRun() (r Run) {
	rand.Read(r[:]) // never fails: crypto/rand ends the program instead
	return r
}

// Hello is the first message of each side.
type Hello struct {
	Purpose Purpose
	Log     []byte // canonical device log, not looked into
	Run     Run
}

// WriteHello sends h.
func WriteHello(w io.Writer, h Hello) error {
	return wire.WriteMessage(w, &pb.Hello{Purpose: pb.Purpose(h.Purpose), Log: h.Log, Run: h.Run[:]}, MaxHello)
}

// ReadHello reads what WriteHello wrote. Errors are those of wire.ReadMessage,
// BadRequest for a Hello that lacks something, TooLarge, and Unsupported for
// another purpose.
func ReadHello(r io.Reader) (Hello, error) {
	var m pb.Hello
	if err := wire.ReadMessage(r, &m, MaxHello); err != nil {
		return Hello{}, wire.Errorf(wire.CodeOf(err), "hello: %w", err)
	}
	h := Hello{Purpose: Purpose(m.GetPurpose()), Log: m.GetLog()} //nolint:gosec // checked below
	switch {
	case m.GetPurpose() <= 0:
		return Hello{}, wire.Errorf(wire.BadRequest, "hello without a purpose")
	case m.GetPurpose() > pb.Purpose(PurposeCall):
		return Hello{}, wire.Errorf(wire.Unsupported, "hello: purpose %d", m.GetPurpose())
	case len(h.Log) == 0 || len(m.GetRun()) != len(h.Run):
		return Hello{}, wire.Errorf(wire.BadRequest, "hello: a device log and a run of %d bytes are needed", len(h.Run))
	case len(h.Log) > identity.MaxDeviceLog:
		return Hello{}, wire.Errorf(wire.TooLarge, "hello: device log of %d bytes, at most %d", len(h.Log), identity.MaxDeviceLog)
	}
	h.Run = Run(m.GetRun())
	return h, nil
}
