package buddy

import (
	"io"

	"github.com/panpipe-net/panpipe/protocols/buddy/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Ask is a buddy request.
type Ask struct {
	Name   string // what the asking account calls itself
	Note   string
	Secret []byte // its presence secret
}

// Check refuses what no request may say: BadRequest, TooLarge, Unsupported.
func (a Ask) Check() error {
	if err := CheckLine("name", a.Name, MaxName); err != nil {
		return err
	}
	if err := CheckLine("note", a.Note, MaxNote); err != nil {
		return err
	}
	_, err := ParseSecret(a.Secret)
	return err
}

// WriteAsk sends a.
func WriteAsk(w io.Writer, a Ask) error {
	return wire.WriteMessage(w, &pb.Ask{Name: a.Name, Note: a.Note, Secret: a.Secret}, maxAsk)
}

// ReadAsk reads what WriteAsk wrote and checks it.
func ReadAsk(r io.Reader) (Ask, error) {
	var m pb.Ask
	if err := wire.ReadMessage(r, &m, maxAsk); err != nil {
		return Ask{}, wire.Errorf(wire.CodeOf(err), "ask: %w", err)
	}
	a := Ask{Name: m.GetName(), Note: m.GetNote(), Secret: m.GetSecret()}
	if err := a.Check(); err != nil {
		return Ask{}, wire.Errorf(wire.CodeOf(err), "ask: %w", err)
	}
	return a, nil
}

// Answer is the answer to an Ask. The zero Answer is "pending".
type Answer struct {
	Accepted bool
	Name     string // of the account, if it accepts
	Secret   []byte // its presence secret, if it accepts
}

// WriteAnswer sends a.
func WriteAnswer(w io.Writer, a Answer) error {
	return wire.WriteMessage(w, &pb.Answer{Accepted: a.Accepted, Name: a.Name, Secret: a.Secret}, maxAsk)
}

// ReadAnswer reads what WriteAnswer wrote and checks it: who accepts says how to
// find him.
func ReadAnswer(r io.Reader) (Answer, error) {
	var m pb.Answer
	if err := wire.ReadMessage(r, &m, maxAsk); err != nil {
		return Answer{}, wire.Errorf(wire.CodeOf(err), "answer: %w", err)
	}
	if !m.GetAccepted() {
		return Answer{}, nil
	}
	a := Answer{Accepted: true, Name: m.GetName(), Secret: m.GetSecret()}
	err := CheckLine("name", a.Name, MaxName)
	if err == nil {
		_, err = ParseSecret(a.Secret)
	}
	if err != nil {
		return Answer{}, wire.Errorf(wire.CodeOf(err), "answer: %w", err)
	}
	return a, nil
}
