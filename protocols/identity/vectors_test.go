package identity

import (
	"crypto/ed25519"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// vectors is testdata/vectors.json. All bytes are hexadecimal.
type vectors struct {
	// Principals are those of a public key in libp2p's protobuf.
	Principals []principalVector `json:"principals"`
	// Envelopes open under their domain. The seed is that of an Ed25519 key,
	// whose signatures are always the same; others can only be verified.
	Envelopes []envelopeVector `json:"envelopes"`
	// Capabilities are signed by the Ed25519 key of the seed.
	Capabilities []capabilityVector `json:"capabilities"`
	Tickets      []ticketVector     `json:"tickets"`
	// DeviceLogs are verified whole; forks are judged by those who know the one
	// and are shown the other.
	DeviceLogs []logVector  `json:"device_logs"`
	Forks      []forkVector `json:"forks"`
	// Refused are what a reader must not take, and the word it says.
	Refused []refusedVector `json:"refused"`
}

type principalVector struct {
	Name         string `json:"name"`
	Key          string `json:"key"`
	Peer         string `json:"peer"`
	PeerBytes    string `json:"peer_bytes"`
	Account      string `json:"account"`
	AccountBytes string `json:"account_bytes"`
}

type envelopeVector struct {
	Name     string `json:"name"`
	Domain   Domain `json:"domain"`
	Seed     string `json:"seed,omitempty"`
	Body     string `json:"body"`
	Signer   string `json:"signer"`
	Envelope string `json:"envelope"`
}

type capabilityVector struct {
	Name      string    `json:"name"`
	Seed      string    `json:"seed"`
	Issuer    Principal `json:"issuer"`
	Subject   Principal `json:"subject"`
	Object    string    `json:"object"`
	Right     string    `json:"right"`
	Term      uint64    `json:"term"`
	NotBefore int64     `json:"not_before"` // Unix ms, 0 none
	Expiry    int64     `json:"expiry"`     // Unix ms
	Nonce     string    `json:"nonce"`
	Proof     string    `json:"proof"`
	Body      string    `json:"body"`
	Envelope  string    `json:"envelope"`
	Text      string    `json:"text"`
	Code      string    `json:"code"` // what opening it says
}

type ticketVector struct {
	Name    string   `json:"name"`
	Overlay string   `json:"overlay"`
	Addrs   []string `json:"addrs"`
	Bytes   string   `json:"bytes"`
	Text    string   `json:"text"`
}

type refusedVector struct {
	Name string `json:"name"`
	// What is one of principal, envelope, capability, ticket, device-log (In is
	// hex; an envelope is opened as a capability's) and the first four's -text
	// forms but the envelope's.
	What string `json:"what"`
	In   string `json:"in"`
	Code string `json:"code"`
}

func keyOfSeed(t *testing.T, seed string) crypto.PrivKey {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(vectorfile.Bytes(t, seed)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPrincipalsAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Principals {
		key, err := crypto.UnmarshalPublicKey(vectorfile.Bytes(t, v.Key))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := peer.IDFromPublicKey(key)
		account, _ := AccountPrincipal(key)
		node := PeerPrincipal(id)
		if node.String() != v.Peer || hex.EncodeToString(node.Bytes()) != v.PeerBytes ||
			account.String() != v.Account || hex.EncodeToString(account.Bytes()) != v.AccountBytes {
			t.Errorf("%s: %s %x, %s %x", v.Name, node, node.Bytes(), account, account.Bytes())
		}
		for text, want := range map[string]Principal{v.Peer: node, v.Account: account} {
			if got, err := ParsePrincipal(text); err != nil || got != want {
				t.Errorf("%s: %v, %v", text, got, err)
			}
		}
	}
}

func TestEnvelopesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Envelopes {
		body, signer, err := Open(v.Domain, vectorfile.Bytes(t, v.Envelope), 4096)
		if err != nil || hex.EncodeToString(body) != v.Body {
			t.Errorf("%s: %x, %v", v.Name, body, err)
			continue
		}
		if p, _ := ParsePrincipal(v.Signer); !p.Matches(signer) {
			t.Errorf("%s: signer is not %s", v.Name, v.Signer)
		}
		if v.Seed == "" {
			continue
		}
		if got, err := Sign(keyOfSeed(t, v.Seed), v.Domain, vectorfile.Bytes(t, v.Body)); err != nil || hex.EncodeToString(got) != v.Envelope {
			t.Errorf("%s: signed as %x, %v", v.Name, got, err)
		}
	}
}

func (v capabilityVector) capability(t *testing.T) Capability {
	t.Helper()
	right, err := ParseRight(v.Right)
	if err != nil {
		t.Fatal(err)
	}
	c := Capability{
		Issuer: v.Issuer, Subject: v.Subject, Object: vectorfile.Bytes(t, v.Object), Right: right, Term: v.Term,
		Expiry: time.UnixMilli(v.Expiry).UTC(), Nonce: Nonce(vectorfile.Bytes(t, v.Nonce)),
	}
	if v.NotBefore != 0 {
		c.NotBefore = time.UnixMilli(v.NotBefore).UTC()
	}
	if v.Proof != "" {
		c.Proof = vectorfile.Bytes(t, v.Proof)
	}
	return c
}

func TestCapabilitiesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Capabilities {
		c := v.capability(t)
		if got := hex.EncodeToString(c.body()); got != v.Body {
			t.Errorf("%s: body %s", v.Name, got)
		}
		envelope := sign(t, c, keyOfSeed(t, v.Seed))
		if hex.EncodeToString(envelope) != v.Envelope || FormatCapability(envelope) != v.Text {
			t.Errorf("%s: envelope %x, text %s", v.Name, envelope, FormatCapability(envelope))
		}
		if got, err := parseCapability(vectorfile.Bytes(t, v.Body)); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: body is read as %+v, %v", v.Name, got, err)
		}
		_, got, err := ParseCapability(v.Text)
		got.Device, got.Log = "", nil // not written
		if wire.CodeOf(err).String() != v.Code || (err == nil && !reflect.DeepEqual(got, c)) {
			t.Errorf("%s: text is read as %+v, %v", v.Name, got, err)
		}
	}
}

func TestTicketsAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Tickets {
		want := Ticket{Overlay: v.Overlay}
		for _, s := range v.Addrs {
			if err := want.add(ma.StringCast(s).Bytes()); err != nil {
				t.Fatal(err)
			}
		}
		if hex.EncodeToString(want.Bytes()) != v.Bytes || want.String() != v.Text {
			t.Errorf("%s: %x, %s", v.Name, want.Bytes(), want)
		}
		if got, err := ParseTicket(v.Text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: text is read as %+v, %v", v.Name, got, err)
		}
	}
}

func TestVectorsOfBadInputAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Refused {
		var err error
		switch v.What {
		case "principal":
			_, err = PrincipalFromBytes(vectorfile.Bytes(t, v.In))
		case "principal-text":
			_, err = ParsePrincipal(v.In)
		case "envelope":
			_, _, err = Open(DomainCapability, vectorfile.Bytes(t, v.In), MaxCapability)
		case "capability":
			_, err = OpenCapability(vectorfile.Bytes(t, v.In))
		case "device-log":
			_, err = ParseLog(vectorfile.Bytes(t, v.In))
		case "capability-text":
			_, _, err = ParseCapability(v.In)
		case "ticket":
			_, err = TicketFromBytes(vectorfile.Bytes(t, v.In))
		case "ticket-text":
			_, err = ParseTicket(v.In)
		default:
			t.Fatalf("%s: what is %q?", v.Name, v.What)
		}
		if wire.CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}
