package buddy

import (
	"crypto/rand"
	"encoding/hex"
	"io"

	"github.com/panpipe-net/panpipe/protocols/buddy/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// MaxTopic caps what applications call a session, in bytes.
	MaxTopic = 64
	maxSay   = 1 << 10
)

// SessionID names a call, or a data session, on all devices.
type SessionID [16]byte

// NewSessionID returns a random one.
func NewSessionID() (id SessionID) {
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// String returns it in hex.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// ParseSessionID reads what String returns. Errors are BadRequest.
func ParseSessionID(s string) (id SessionID, err error) {
	if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 2*len(id)+1)])); err != nil || n != len(id) {
		return SessionID{}, wire.Errorf(wire.BadRequest, "%.40q is no session: %d hex digits are needed", s, 2*len(id))
	}
	return id, nil
}

// Kind is what a session carries. Its number is part of the wire format.
type Kind uint8

// The kinds.
const (
	Voice Kind = 1 // "voice"
	Data  Kind = 2 // "data"
)

// String returns the word, "unknown" for a kind that this version does not know.
func (k Kind) String() string {
	words := [...]string{"unknown", "voice", "data"}
	if int(k) >= len(words) {
		return words[0]
	}
	return words[k]
}

// Offer opens a call.
type Offer struct {
	Session SessionID
	Kind    Kind
	Topic   string // what applications call it
}

// Check refuses what no offer may say: BadRequest, TooLarge, Unsupported.
func (o Offer) Check() error {
	switch {
	case o.Session == SessionID{}:
		return wire.Errorf(wire.BadRequest, "a call without a session")
	case o.Kind == 0:
		return wire.Errorf(wire.BadRequest, "a call without a kind")
	case o.Kind > Data:
		return wire.Errorf(wire.Unsupported, "a call of kind %d", o.Kind)
	}
	return CheckLine("topic", o.Topic, MaxTopic)
}

// WriteOffer sends o.
func WriteOffer(w io.Writer, o Offer) error {
	return wire.WriteMessage(w, &pb.Offer{Session: o.Session[:], Kind: pb.Kind(o.Kind), Topic: o.Topic}, maxSay)
}

// ReadOffer reads what WriteOffer wrote and checks it.
func ReadOffer(r io.Reader) (Offer, error) {
	var m pb.Offer
	if err := wire.ReadMessage(r, &m, maxSay); err != nil {
		return Offer{}, wire.Errorf(wire.CodeOf(err), "call: %w", err)
	}
	o := Offer{Topic: m.GetTopic()}
	if len(m.GetSession()) != len(o.Session) {
		return Offer{}, wire.Errorf(wire.BadRequest, "call: a session has %d bytes, not %d", len(o.Session), len(m.GetSession()))
	}
	if o.Session = SessionID(m.GetSession()); m.GetKind() < 0 || m.GetKind() > pb.Kind(Data) {
		return Offer{}, wire.Errorf(wire.Unsupported, "call: kind %d", m.GetKind())
	}
	o.Kind = Kind(m.GetKind()) //nolint:gosec // within bounds
	return o, o.Check()
}

// Word is what is said in a call. Its number is part of the wire format.
type Word uint8

// The words.
const (
	Ringing  Word = 1 // a person is asked
	Answered Word = 2
	Go       Word = 3 // bytes follow
	Taken    Word = 4 // another device has answered
	Cancel   Word = 5
	No       Word = 6 // a person said no
	Missed   Word = 7 // nobody answered
	Busy     Word = 8
	Nobody   Word = 9 // no application serves this
)

// Say is one word in a call.
type Say struct {
	Word   Word
	Reason string // of No: for people, at most MaxNote bytes of one line
}

// WriteSay sends s.
func WriteSay(w io.Writer, s Say) error {
	return wire.WriteMessage(w, &pb.Say{Word: pb.Word(s.Word), Reason: s.Reason}, maxSay)
}

// ReadSay reads what WriteSay wrote and checks it.
func ReadSay(r io.Reader) (Say, error) {
	var m pb.Say
	if err := wire.ReadMessage(r, &m, maxSay); err != nil {
		return Say{}, wire.Errorf(wire.CodeOf(err), "call: %w", err)
	}
	if m.GetWord() <= 0 || m.GetWord() > pb.Word(Nobody) {
		return Say{}, wire.Errorf(wire.Unsupported, "call: word %d", m.GetWord())
	}
	s := Say{Word: Word(m.GetWord()), Reason: m.GetReason()} //nolint:gosec // within bounds
	return s, CheckLine("reason", s.Reason, MaxNote)
}
