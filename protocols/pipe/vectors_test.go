package pipe

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const vectorFile = "testdata/vectors.json"

// vectors is testdata/vectors.json. All bytes are hexadecimal.
type vectors struct {
	Keys           []keyVector           `json:"keys"`
	Advertisements []advertisementVector `json:"advertisements"`
	Bindings       []bindingVector       `json:"bindings"`
	Revocations    []revocationVector    `json:"revocations"`
	Order          []orderVector         `json:"order"`
	QueryProofs    []queryVector         `json:"query_proofs"`
	Handshakes     []handshakeVector     `json:"handshakes"`
	Messages       []messageVector       `json:"messages"`
	Refused        []refusedVector       `json:"refused"`
}

// keyVector is an Ed25519 key, made from its seed.
type keyVector struct {
	Name       string `json:"name"`
	Seed       string `json:"seed"`
	PrivateKey string `json:"private_key"` // libp2p's protobuf
	PublicKey  string `json:"public_key"`  // libp2p's protobuf
	Peer       string `json:"peer"`
	PeerBytes  string `json:"peer_bytes"`
	Principal  string `json:"principal_bytes"`
}

type advertisementVector struct {
	Name   string              `json:"name"`
	Fields advertisementFields `json:"fields"`
	Bytes  string              `json:"bytes"`
	ID     string              `json:"id"`
	IDHex  string              `json:"id_bytes"`
	Key    string              `json:"key"`
}

type advertisementFields struct {
	Type       uint8             `json:"type"`
	Name       string            `json:"name"`
	Owner      string            `json:"owner"`
	Binders    uint8             `json:"binders"`
	Transports []reach.Transport `json:"transports"`
	DialPolicy uint8             `json:"dial_policy"`
	Reliable   bool              `json:"reliable"`
	Salt       string            `json:"salt"`
}

// bindingVector is signed by Signer; Code is what a reader without clock says.
type bindingVector struct {
	Name     string        `json:"name"`
	Signer   string        `json:"signer"`
	Fields   bindingFields `json:"fields"`
	Body     string        `json:"body"`
	Envelope string        `json:"envelope"`
	Code     string        `json:"code"`
}

type bindingFields struct {
	Pipe          string   `json:"pipe"`
	Advertisement string   `json:"advertisement"`
	Binder        string   `json:"binder"`
	Seq           uint64   `json:"seq,string"`
	IssuedMillis  int64    `json:"issued_ms"`
	LifeSeconds   int64    `json:"life_s"`
	Endpoints     []string `json:"endpoints"`
	Capability    string   `json:"capability"`
	Term          uint64   `json:"term,string"`
	Proof         string   `json:"proof"`
	Withdrawn     bool     `json:"withdrawn"`
}

type revocationVector struct {
	Name     string           `json:"name"`
	Signer   string           `json:"signer"`
	Fields   revocationFields `json:"fields"`
	Body     string           `json:"body"`
	Envelope string           `json:"envelope"`
	Code     string           `json:"code"`
}

type revocationFields struct {
	Pipe          string `json:"pipe"`
	Advertisement string `json:"advertisement"`
	Issuer        string `json:"issuer"`
	Nonce         string `json:"nonce"`
	ExpiryMillis  int64  `json:"expiry_ms"`
	IssuedMillis  int64  `json:"issued_ms"`
	Proof         string `json:"proof"`
}

// orderVector: the first named binding beats the second.
type orderVector struct {
	Winner orderRank `json:"winner"`
	Loser  orderRank `json:"loser"`
}

type orderRank struct {
	Term   uint64 `json:"term,string"`
	Binder string `json:"binder"`
	Hash   string `json:"binder_sha256"`
	Seq    uint64 `json:"seq,string"`
}

type queryVector struct {
	ID    string `json:"id"`
	Nonce string `json:"nonce"`
	Asker string `json:"asker"`
	Asked string `json:"asked"`
	Proof string `json:"proof"`
}

type handshakeVector struct {
	Name              string `json:"name"`
	Pipe              string `json:"pipe"`
	Dialer            string `json:"dialer"`
	Listener          string `json:"listener"`
	DialerPrincipal   string `json:"dialer_principal"`
	ListenerPrincipal string `json:"listener_principal"`
	DialerNonce       string `json:"dialer_nonce"`
	ListenerNonce     string `json:"listener_nonce"`
	ListenerBody      string `json:"listener_body"`
	ByListener        string `json:"listener_envelope"`
	DialerBody        string `json:"dialer_body"`
	ByDialer          string `json:"dialer_envelope"`
}

// messageVector is a message as it stands on the stream, length first. Another
// writer's protobuf may order fields otherwise.
type messageVector struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Bytes string `json:"bytes"`
}

// refusedVector is what a reader must not take, and the word it says.
type refusedVector struct {
	Name  string `json:"name"`
	What  string `json:"what"` // advertisement, binding or revocation; the latter two as envelopes
	Bytes string `json:"bytes"`
	Code  string `json:"code"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile(vectorFile)
	must(t, err)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var v vectors
	must(t, d.Decode(&v))
	return v
}

func TestVectorsAreWhatThisPackageWrites(t *testing.T) {
	made := makeVectors(t)
	if *update {
		raw, err := json.MarshalIndent(made, "", "  ")
		must(t, err)
		must(t, os.WriteFile(vectorFile, append(raw, '\n'), 0o644))
	}
	read := readVectors(t)
	for i, name := range []string{"keys", "advertisements", "bindings", "revocations", "order", "query proofs", "handshakes", "messages", "refused"} {
		a, b := reflect.ValueOf(made).Field(i).Interface(), reflect.ValueOf(read).Field(i).Interface()
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: made %+v\nread %+v", name, a, b)
		}
	}
}

func TestAdvertisementsOfTheVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t).Advertisements {
		a, err := ParseAdvertisement(vectorfile.Bytes(t, v.Bytes))
		if err != nil || !reflect.DeepEqual(adFields(a), v.Fields) {
			t.Errorf("%s: %+v %v", v.Name, a, err)
		}
		id, err := ParseID(v.ID)
		if err != nil || id != a.ID() || hex.EncodeToString(id.Bytes()) != v.IDHex || id.Key().String() != v.Key {
			t.Errorf("%s: ID %s, key %s: %v", v.Name, id, id.Key(), err)
		}
	}
}

func TestBindingsOfTheVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t).Bindings {
		b, err := ParseBinding(vectorfile.Bytes(t, v.Body))
		if err != nil || !reflect.DeepEqual(bindFields(b), v.Fields) {
			t.Errorf("%s: %+v %v", v.Name, b, err)
		}
		if _, err := OpenBinding(vectorfile.Bytes(t, v.Envelope)); wire.CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, expected %s", v.Name, err, v.Code)
		}
	}
}

func TestRevocationsOfTheVectorsAreRead(t *testing.T) {
	for _, v := range readVectors(t).Revocations {
		r, err := ParseRevocation(vectorfile.Bytes(t, v.Body))
		if err != nil || !reflect.DeepEqual(revokeFields(r), v.Fields) {
			t.Errorf("%s: %+v %v", v.Name, r, err)
		}
		if _, err := OpenRevocation(vectorfile.Bytes(t, v.Envelope)); wire.CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, expected %s", v.Name, err, v.Code)
		}
	}
}

func TestHandshakesOfTheVectorsAreTaken(t *testing.T) {
	for _, v := range readVectors(t).Handshakes {
		id, err := ParseID(v.Pipe)
		must(t, err)
		dialer, err := peer.Decode(v.Dialer)
		must(t, err)
		listener, err := peer.Decode(v.Listener)
		must(t, err)
		dials, err := identity.ParsePrincipal(v.DialerPrincipal)
		must(t, err)
		listens, err := identity.ParsePrincipal(v.ListenerPrincipal)
		must(t, err)
		h := Handshake{
			Pipe: id, Dialer: dialer, Listener: listener, DialerPrincipal: dials, ListenerPrincipal: listens,
			DialerNonce: identity.Nonce(vectorfile.Bytes(t, v.DialerNonce)), ListenerNonce: identity.Nonce(vectorfile.Bytes(t, v.ListenerNonce)),
		}
		must(t, h.CheckListener(vectorfile.Bytes(t, v.ByListener)))
		must(t, h.CheckDialer(vectorfile.Bytes(t, v.ByDialer)))
	}
}

func TestMessagesOfTheVectorsAreRead(t *testing.T) {
	kinds := map[string]func() proto.Message{
		"Request": func() proto.Message { return &pb.Request{} }, "Answer": func() proto.Message { return &pb.Answer{} },
		"Open": func() proto.Message { return &pb.Open{} }, "OpenReply": func() proto.Message { return &pb.OpenReply{} },
		"Confirm": func() proto.Message { return &pb.Confirm{} },
	}
	for _, v := range readVectors(t).Messages {
		m, r := kinds[v.Type](), bytes.NewReader(vectorfile.Bytes(t, v.Bytes))
		if err := wire.ReadMessage(r, m, MaxAnswer); err != nil || r.Len() != 0 || len(m.ProtoReflect().GetUnknown()) != 0 {
			t.Errorf("%s: %v, %d bytes left", v.Name, err, r.Len())
		}
	}
}

func TestRefusedVectorsAreRefused(t *testing.T) {
	for _, v := range readVectors(t).Refused {
		var err error
		switch b := vectorfile.Bytes(t, v.Bytes); v.What {
		case "advertisement":
			_, err = ParseAdvertisement(b)
		case "binding":
			_, err = OpenBinding(b)
		case "revocation":
			_, err = OpenRevocation(b)
		}
		if wire.CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, expected %s", v.Name, err, v.Code)
		}
	}
}

func adFields(a Advertisement) advertisementFields {
	f := advertisementFields{
		Type: uint8(a.Type), Name: a.Name, Owner: a.Owner.String(), Binders: uint8(a.Binders), Transports: []reach.Transport{},
		DialPolicy: uint8(a.DialPolicy), Reliable: a.Reliable, Salt: hex.EncodeToString(a.Salt[:]),
	}
	f.Transports = append(f.Transports, a.Transports...)
	return f
}

func bindFields(b Binding) bindingFields {
	f := bindingFields{
		Pipe: b.Pipe.String(), Advertisement: hex.EncodeToString(b.Advertisement.Bytes()), Binder: b.Binder.String(),
		Seq: b.Seq, IssuedMillis: b.Issued.UnixMilli(), LifeSeconds: int64(b.Life / time.Second), Endpoints: []string{},
		Capability: hex.EncodeToString(b.Capability), Term: b.Term, Proof: hex.EncodeToString(b.Proof), Withdrawn: b.Withdrawn,
	}
	for _, a := range b.Endpoints {
		f.Endpoints = append(f.Endpoints, a.String())
	}
	return f
}

func revokeFields(r Revocation) revocationFields {
	return revocationFields{
		Pipe: r.Pipe.String(), Advertisement: hex.EncodeToString(r.Advertisement.Bytes()), Issuer: r.Issuer.String(),
		Nonce: r.Nonce.String(), ExpiryMillis: r.Expiry.UnixMilli(), IssuedMillis: r.Issued.UnixMilli(), Proof: hex.EncodeToString(r.Proof),
	}
}

func keyVectorOf(t testing.TB, name string, a actor) keyVector {
	raw, err := a.key.Raw()
	must(t, err)
	private, err := crypto.MarshalPrivateKey(a.key)
	must(t, err)
	public, err := crypto.MarshalPublicKey(a.key.GetPublic())
	must(t, err)
	return keyVector{
		Name: name, Seed: hex.EncodeToString(ed25519.PrivateKey(raw).Seed()), PrivateKey: hex.EncodeToString(private),
		PublicKey: hex.EncodeToString(public), Peer: a.id.String(), PeerBytes: hex.EncodeToString([]byte(a.id)),
		Principal: hex.EncodeToString(a.who.Bytes()),
	}
}
