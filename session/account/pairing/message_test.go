package pairing

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
	"github.com/panpipe-net/panpipe/session/account/cpace"
)

func samples() map[string]message {
	return map[string]message{
		"hello":   {kind: kindHello, mailbox: Mailbox{1, 2, 3, 4, 5}, session: [sessionSize]byte{6}, share: [cpace.ShareSize]byte{7}},
		"answer":  {kind: kindAnswer, share: [cpace.ShareSize]byte{8}},
		"claim":   {kind: kindClaim, proof: [proofSize]byte{9}, box: [boxSize]byte{10}, name: "phone"},
		"grant":   {kind: kindGrant, proof: [proofSize]byte{11}, bundle: []byte("bundle")},
		"done":    {kind: kindDone},
		"refusal": {kind: kindRefusal, code: wire.Forbidden, text: "wrong words", left: 2},
	}
}

func TestMessagesComeBack(t *testing.T) {
	for name, m := range samples() {
		got, err := parseMessage(m.bytes())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		raw := m.bytes()
		for n := range raw {
			if got, err := parseMessage(raw[:n]); err == nil && !bytes.Equal(got.bytes(), raw[:n]) {
				t.Errorf("%s: %d of %d bytes are taken", name, n, len(raw))
			}
		}
	}
}

func TestLongMessagesAreRefusedByTheirLength(t *testing.T) {
	b := binary.AppendUvarint(nil, maxSmall+1)
	_, err := receive(bufio.NewReader(bytes.NewReader(b)), maxSmall)
	wantCode(t, "by length alone", err, wire.TooLarge)
	_, err = parseMessage(message{kind: 99}.bytes())
	wantCode(t, "unknown kind", err, wire.Unsupported)
	m := refusal(wire.Errorf(wire.Limit, "%s", strings.Repeat("ü", maxText)), 1)
	if got, err := parseMessage(m.bytes()); err != nil || len(got.text) > maxText || got.code != wire.Limit {
		t.Errorf("long reason: %d bytes, %v", len(got.text), err)
	}
}

func TestRefusalsCannotLie(t *testing.T) {
	wantCode(t, "refusal of nothing", refused(message{kind: kindRefusal}), wire.BadRequest)
	if err := refused(message{kind: kindRefusal, code: wire.Limit, text: "\x1b[2J"}); strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

// vectors is testdata/vectors.json: one linking, byte for byte.
type vectors struct {
	Code          string             `json:"code"`
	Mailbox       string             `json:"mailbox"`
	Secret        string             `json:"secret"`
	Guest         identity.Principal `json:"guest"`
	Host          identity.Principal `json:"host"`
	GuestRandom   string             `json:"guest_random"` // session, then its scalar
	HostRandom    string             `json:"host_random"`  // its scalar
	Box           string             `json:"box"`
	Name          string             `json:"name"`
	Bundle        string             `json:"bundle"` // stands for a real one
	Channel       string             `json:"channel"`
	Hello         string             `json:"hello"`
	Answer        string             `json:"answer"`
	Claim         string             `json:"claim"`
	Grant         string             `json:"grant"`
	Done          string             `json:"done"`
	TicketSecret  string             `json:"ticket_secret"`
	TicketMailbox string             `json:"ticket_mailbox"`
	TicketHost    string             `json:"ticket_host"` // an invitation's text
	Ticket        string             `json:"ticket"`
}

func TestALinkingIsThatOfTheVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if got := replay(t, v); got != v {
		want, have := reflect.ValueOf(v), reflect.ValueOf(got)
		for i := range want.NumField() {
			if want.Field(i).Interface() != have.Field(i).Interface() {
				t.Errorf("%s: %v", want.Type().Field(i).Name, have.Field(i))
			}
		}
	}
}

// replay computes what follows from the first fields.
func replay(t *testing.T, v vectors) vectors {
	t.Helper()
	code, err := ParseCode(v.Code)
	if err != nil {
		t.Fatal(err)
	}
	offer := code.Offer()
	v.Mailbox, v.Secret = hex.EncodeToString(offer.Mailbox[:]), string(offer.secret)
	guestID, _ := v.Guest.Peer()
	hostID, _ := v.Host.Peer()
	both := ends{guest: guestID, host: hostID}
	v.Channel = hex.EncodeToString(offer.input(both, [sessionSize]byte{}).Channel)

	g, hello, err := guest{offer: offer, ends: both}.hello(bytes.NewReader(vectorfile.Bytes(t, v.GuestRandom)))
	if err != nil {
		t.Fatal(err)
	}
	h, answer, err := host{offer: offer, ends: both}.hello(hello, bytes.NewReader(vectorfile.Bytes(t, v.HostRandom)))
	if err != nil {
		t.Fatal(err)
	}
	g, claim, err := g.answer(answer, identity.BoxKey(vectorfile.Bytes(t, v.Box)), v.Name)
	if err != nil {
		t.Fatal(err)
	}
	if device, right, err := h.claim(claim); err != nil || !right || device.ID != guestID {
		t.Fatalf("%v, %v, %v", device, right, err)
	}
	grant := h.grant([]byte(v.Bundle))
	if _, err := g.grant(grant); err != nil {
		t.Fatal(err)
	}
	for to, m := range map[*string]message{&v.Hello: hello, &v.Answer: answer, &v.Claim: claim, &v.Grant: grant, &v.Done: {kind: kindDone}} {
		var b bytes.Buffer
		if err := send(&b, m); err != nil {
			t.Fatal(err)
		}
		*to = hex.EncodeToString(b.Bytes())
	}
	invitation, err := identity.ParseTicket(v.TicketHost)
	if err != nil {
		t.Fatal(err)
	}
	ticket := Ticket{Secret: [secretSize]byte(vectorfile.Bytes(t, v.TicketSecret)), Host: invitation}
	mailbox := ticket.Offer().Mailbox
	v.Ticket, v.TicketMailbox = ticket.String(), hex.EncodeToString(mailbox[:])
	return v
}

// FuzzMessage: whatever is taken has that one form.
func FuzzMessage(f *testing.F) {
	for _, m := range samples() {
		f.Add(m.bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMessage(raw)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.BadRequest && c != wire.TooLarge && c != wire.Unsupported {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		again, err := parseMessage(m.bytes())
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%x: %v", raw, err)
		}
	})
}

// TestMessagesOutOfTurnEndAnAttempt: either side, in every state, takes nothing
// but what comes next.
func TestMessagesOutOfTurnEndAnAttempt(t *testing.T) {
	for name, m := range samples() {
		for _, waits := range []kind{0, kindAnswer, kindClaim, kindGrant, kindDone} {
			if m.kind == kindRefusal {
				wantCode(t, "refusal", expect(m, kindAnswer, waits), wire.Forbidden)
				continue
			}
			if m.kind != kindAnswer || waits != kindAnswer {
				_, _, err := guest{waits: waits}.answer(m, identity.BoxKey{}, "")
				wantCode(t, name+" for an answer", err, wire.BadRequest)
			}
			if _, err := (guest{waits: waits}).grant(m); m.kind != kindGrant || waits != kindGrant {
				wantCode(t, name+" for a grant", err, wire.BadRequest)
			}
			if _, _, err := (host{waits: waits}).claim(m); m.kind != kindClaim || waits != kindClaim {
				wantCode(t, name+" for a claim", err, wire.BadRequest)
			}
		}
	}
}
