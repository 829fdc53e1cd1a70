package pipe

import (
	"crypto/hmac"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Query is a pb.Query with its fields checked.
type Query struct {
	Nonce             identity.Nonce
	Key               wire.Key
	Proof             []byte          // ProofSize bytes, or nil for closer peers alone
	Transport         reach.Transport // wanted; reach.Any for all
	NoCache           bool            // only what the asked node serves itself
	Only              []peer.ID       // binders wanted; empty for all
	WantAdvertisement bool
}

// ParseQuery checks a received query. Errors are BadRequest, and TooLarge above
// a cap.
func ParseQuery(m *pb.Query) (Query, error) {
	q := Query{
		Transport:         reach.Transport(m.GetTransport()),
		NoCache:           m.GetNoCache(),
		WantAdvertisement: m.GetWantAdvertisement(),
	}
	switch {
	case len(m.GetNonce()) != NonceSize || len(m.GetKey()) != len(q.Key):
		return Query{}, wire.Errorf(wire.BadRequest, "query: a nonce of %d bytes and a key of %d are needed", NonceSize, len(q.Key))
	case len(m.GetProof()) != 0 && len(m.GetProof()) != ProofSize:
		return Query{}, wire.Errorf(wire.BadRequest, "query: proof of %d bytes, expected %d", len(m.GetProof()), ProofSize)
	case q.Transport != reach.Any && !transportName(q.Transport):
		return Query{}, wire.Errorf(wire.BadRequest, "query: malformed transport")
	case len(m.GetOnlyPeers()) > MaxOnlyPeers:
		return Query{}, wire.Errorf(wire.TooLarge, "query: %d binders wanted, at most %d", len(m.GetOnlyPeers()), MaxOnlyPeers)
	}
	q.Nonce, q.Key = identity.Nonce(m.GetNonce()), wire.Key(m.GetKey())
	if len(m.GetProof()) > 0 {
		q.Proof = m.GetProof()
	}
	for _, b := range m.GetOnlyPeers() {
		id, ok := peerID(b)
		if !ok {
			return Query{}, wire.Errorf(wire.BadRequest, "query: malformed peer ID among the wanted binders")
		}
		q.Only = append(q.Only, id)
	}
	return q, nil
}

// Message returns the query as it is sent.
func (q Query) Message() *pb.Request {
	m := &pb.Query{
		Nonce: q.Nonce[:], Key: q.Key[:], Proof: q.Proof, Transport: string(q.Transport),
		NoCache: q.NoCache, WantAdvertisement: q.WantAdvertisement,
	}
	for _, id := range q.Only {
		m.OnlyPeers = append(m.OnlyPeers, []byte(id))
	}
	return &pb.Request{Op: &pb.Request_Query{Query: m}}
}

// Proves reports whether the query's proof shows that asker, asking asked,
// knows id, and that the query is about id.
func (q Query) Proves(id ID, asker, asked peer.ID) bool {
	return q.Key == id.Key() && hmac.Equal(q.Proof, QueryProof(id, q.Nonce[:], asker, asked))
}

// Wants reports whether the query asks for a binding of this binder with
// endpoints on these transports. One that overrides others is wanted whatever
// its transport, since they may have it: a tombstone, and every record of an
// exclusive pipe.
func (q Query) Wants(binder identity.Principal, overrides bool, offers []reach.Transport) bool {
	id, _ := binder.Peer()
	if len(q.Only) > 0 && !slices.Contains(q.Only, id) {
		return false
	}
	return overrides || q.Transport == reach.Any || slices.Contains(offers, q.Transport)
}

// Record is one verified envelope; Binding or Revocation is set.
type Record struct {
	Binding    *Binding
	Revocation *Revocation
	Envelope   []byte
}

// OpenRecord verifies a received record. Errors are those of OpenBinding and
// OpenRevocation, and Unsupported for a record of another kind.
func OpenRecord(m *pb.Record) (Record, error) { return openRecord(m, identity.ParseLog) }

func openRecord(m *pb.Record, read identity.LogReader) (Record, error) {
	switch r := m.GetRecord().(type) {
	case *pb.Record_Binding:
		b, err := openBinding(r.Binding, read)
		if err != nil {
			return Record{}, err
		}
		return Record{Binding: &b, Envelope: r.Binding}, nil
	case *pb.Record_Revocation:
		v, err := openRevocation(r.Revocation, read)
		if err != nil {
			return Record{}, err
		}
		return Record{Revocation: &v, Envelope: r.Revocation}, nil
	}
	return Record{}, wire.Errorf(wire.Unsupported, "record of a kind that is not in this version")
}

// Pipe is the pipe that the record is about.
func (r Record) Pipe() ID {
	switch {
	case r.Binding != nil:
		return r.Binding.Pipe
	case r.Revocation != nil:
		return r.Revocation.Pipe
	}
	return ID{}
}

// speaker is by whose word for an account the record stands.
func (r Record) speaker() speaker {
	switch {
	case r.Binding != nil:
		return r.Binding.speaker
	case r.Revocation != nil:
		return r.Revocation.speaker
	}
	return speaker{}
}

// Message returns the record as it is sent.
func (r Record) Message() *pb.Record {
	if r.Revocation != nil {
		return &pb.Record{Record: &pb.Record_Revocation{Revocation: r.Envelope}}
	}
	return &pb.Record{Record: &pb.Record_Binding{Binding: r.Envelope}}
}
