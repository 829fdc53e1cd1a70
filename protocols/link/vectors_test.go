package link

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// vectors is testdata/vectors.json, whose bytes are hexadecimal.
type vectors struct {
	Frames  []frameVector
	Refused []struct {
		Name string
		Kind kind
		Hex  string
	}
	States []stateVector
	Links  []struct {
		Name   string
		Frames []sentVector
	}
}

// frameVector is a frame; fields that its kind does not have are zero.
type frameVector struct {
	Name                                          string
	Kind                                          kind
	ID                                            string `json:",omitempty"`
	Gen, Features, Credit, Grace                  uint64 `json:",omitempty"`
	Service                                       string `json:",omitempty"`
	Flags, Epoch, FarEpoch, Received, Safe, Begin uint64 `json:",omitempty"`
	Token                                         string `json:",omitempty"`
	Code                                          string `json:",omitempty"`
	Hint, Reason                                  string `json:",omitempty"`
	Offset                                        uint64 `json:",omitempty"`
	Data                                          string `json:",omitempty"`
	Hex                                           string
}

// stateVector is an exported end.
type stateVector struct {
	Name, ID, Service, Self, Far                  string
	Flags, Epoch, FarEpoch, Gen, Grace, Read, Fin uint64 `json:",omitempty"`
	Credit, Safe, Received, Sent, FarCredit       uint64 `json:",omitempty"`
	Unread, Unack                                 string `json:",omitempty"`
	Hex                                           string
}

// sentVector is a frame of one side of a link, in the order in which they are
// sent and arrive.
type sentVector struct {
	From string // dialer or listener
	Kind kind
	Hex  string
}

func unhexID(t testing.TB, s string) (id ID) {
	t.Helper()
	if n := copy(id[:], vectorfile.Bytes(t, s)); n != IDSize {
		t.Fatalf("an ID of %d bytes", n)
	}
	return id
}

// payload encodes a vector as this package does.
func (v frameVector) payload(t testing.TB) []byte {
	t.Helper()
	code, _ := wire.ParseCode(v.Code)
	m := marks{received: v.Received, safe: v.Safe, credit: v.Credit}
	r := resume{
		gen: v.Gen, flags: v.Flags, epoch: v.Epoch, farEpoch: v.FarEpoch, marks: m, from: v.Begin, token: vectorfile.Bytes(t, v.Token),
	}
	switch v.Kind {
	case kindOpen:
		return opening{unhexID(t, v.ID), v.Gen, v.Features, v.Credit, v.Grace, v.Service}.append(nil)
	case kindResume:
		r.id = unhexID(t, v.ID)
		return r.appendWithID(nil)
	case kindResumed:
		return r.append(nil)
	case kindRefused:
		return refusal{code, v.Gen, vectorfile.Bytes(t, v.Hint)}.append(nil)
	case kindData:
		return vectorfile.Bytes(t, v.Data)
	case kindAck:
		return m.append(nil)
	case kindReset:
		return reset{code, v.Reason}.append(nil)
	case kindSeek, kindFin, kindRewind:
		return appendUvarints(nil, v.Offset)
	}
	return nil
}

// reparse reads a payload and writes it again.
func reparse(k kind, b []byte) ([]byte, error) {
	switch k {
	case kindOpen:
		o, err := parseOpening(b)
		return o.append(nil), err
	case kindResume:
		r, err := parseResume(b)
		return r.appendWithID(nil), err
	case kindResumed:
		r, err := parseResumed(b)
		return r.append(nil), err
	case kindRefused:
		r, err := parseRefusal(b)
		return r.append(nil), err
	case kindAck:
		m, err := parseAck(b)
		return m.append(nil), err
	case kindReset:
		r, err := parseReset(b)
		return r.append(nil), err
	case kindSeek, kindFin, kindRewind:
		off, err := parseOffset(b)
		return appendUvarints(nil, off), err
	}
	return b, nil
}

func (v stateVector) state(t testing.TB) state {
	t.Helper()
	return state{
		id: unhexID(t, v.ID), service: v.Service, self: peer.ID(vectorfile.Bytes(t, v.Self)), far: peer.ID(vectorfile.Bytes(t, v.Far)),
		flags: v.Flags, epoch: v.Epoch, farEpoch: v.FarEpoch, gen: v.Gen, grace: v.Grace, read: v.Read, fin: v.Fin, credit: v.Credit,
		safe: v.Safe, received: v.Received, sent: v.Sent, farCredit: v.FarCredit, unread: vectorfile.Bytes(t, v.Unread), unack: vectorfile.Bytes(t, v.Unack),
	}
}
