package pipe

import (
	"bytes"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// checkCode fails on an error that a decoder must not give: a peer's bytes are
// never this program's fault.
func checkCode(t *testing.T, err error) {
	t.Helper()
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.TooLarge, wire.Unsupported, wire.Forbidden, wire.Expired:
	default:
		t.Fatalf("%v is %s", err, wire.CodeOf(err))
	}
}

// sampleBodies are canonical bytes of bindings and revocations of every shape.
func sampleBodies(t testing.TB) (bindings, revocations [][]byte) {
	owner, other := newActor(t, 1), newActor(t, 2)
	l := testLog(t, 9, owner, other)
	adv, many, ofAccount := exclusivePipe(owner), manyPipe(owner), accountPipe(l, Exclusive, 1)
	proven, broken := bindingBy(t, owner, ofAccount, 1, 1), bindingBy(t, owner, ofAccount, 1, 1)
	proven.Proof, broken.Proof = l.Bytes(), []byte("log")
	right := bindRight(other, owner, ofAccount, 1)
	right.Issuer, right.Proof = l.Account(), l.Bytes()
	byGrant := bindingBy(t, owner, ofAccount, 1, 1)
	var err error
	byGrant.Capability, err = right.Sign(other.key)
	must(t, err)
	for _, b := range []Binding{
		bindingBy(t, owner, adv, 1, 1), tombstone(bindingBy(t, owner, adv, 1, 1)), granted(t, owner, other, adv, MaxNumber, MaxNumber),
		bindingBy(t, owner, many, 1, 0), proven, broken, byGrant,
	} {
		bindings = append(bindings, b.Bytes())
	}
	r := revocationOf(bindRight(owner, other, adv, 1), adv)
	revocations = append(revocations, r.Bytes())
	r.Proof = []byte("log")
	revocations = append(revocations, r.Bytes())
	r = revocationOf(right, ofAccount)
	r.Proof = l.Bytes()
	return bindings, append(revocations, r.Bytes())
}

func TestEveryTruncatedPrefixIsRefused(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	for n := range adv.Bytes() {
		_, err := ParseAdvertisement(adv.Bytes()[:n])
		checkCode(t, err)
	}
	body := bindingBy(t, owner, adv, 1, 1).Bytes()
	for n := range body {
		_, err := ParseBinding(body[:n])
		checkCode(t, err)
	}
	for _, r := range []Record{
		record(t, owner, bindingBy(t, owner, adv, 1, 1)), record(t, owner, tombstone(bindingBy(t, owner, adv, 1, 1))),
		record(t, other, granted(t, owner, other, adv, 1, 2)),
	} {
		for n := range r.Envelope {
			_, err := OpenBinding(r.Envelope[:n])
			checkCode(t, err)
		}
	}
	revocation := revocationOf(bindRight(owner, other, adv, 1), adv)
	for n := range revocation.Bytes() {
		_, err := ParseRevocation(revocation.Bytes()[:n])
		checkCode(t, err)
	}
	envelope := revocationRecord(t, owner, revocation).Envelope
	for n := range envelope {
		_, err := OpenRevocation(envelope[:n])
		checkCode(t, err)
	}
	h := handshakeOf(owner, other)
	signed, err := h.SignDialer(owner.key)
	must(t, err)
	for n := range signed {
		checkCode(t, h.CheckDialer(signed[:n]))
	}
	text := adv.ID().URI()
	for n := range text {
		_, err := ParseID(text[:n])
		checkCode(t, err)
	}
}

func FuzzParseID(f *testing.F) {
	id := IDOf([]byte("x"))
	f.Add(id.String())
	f.Add(id.URI())
	f.Add("pipe:bafkrei")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			checkCode(t, err)
			return
		}
		if again, err := ParseID(id.URI()); err != nil || again != id {
			t.Fatalf("%s: %v", id, err)
		}
	})
}

func FuzzParseAdvertisement(f *testing.F) {
	owner := newActor(f, 1)
	a := exclusivePipe(owner)
	f.Add(a.Bytes())
	a.Transports = append(a.Transports, "quic-v1", "tcp")
	a.Name = ""
	f.Add(append(a.Bytes(), 0xe8, 7, 1, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAdvertisement(b)
		if err != nil {
			checkCode(t, err)
			return
		}
		if !bytes.Equal(a.Bytes(), b) || a.ID() != IDOf(b) || a.Validate() != nil {
			t.Fatalf("%x is read as %x", b, a.Bytes())
		}
	})
}

func FuzzParseBinding(f *testing.F) {
	bodies, _ := sampleBodies(f)
	for _, b := range bodies {
		f.Add(b)
	}
	signer := newActor(f, 1)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := ParseBinding(body)
		if err != nil {
			checkCode(t, err)
			return
		}
		if !bytes.HasPrefix(body, b.Bytes()) {
			t.Fatalf("%x is read as %x", body, b.Bytes())
		}
		b.Beats(b)
		_ = b.InTime(recordEpoch)
		// The same body with a true signature, so that the checks behind it
		// are reached too.
		envelope, err := identity.Sign(signer.key, identity.DomainBinding, body)
		must(t, err)
		if _, err := OpenBinding(envelope); err != nil {
			checkCode(t, err)
		}
	})
}

func FuzzOpenBinding(f *testing.F) {
	owner := newActor(f, 1)
	f.Add(record(f, owner, bindingBy(f, owner, exclusivePipe(owner), 1, 1)).Envelope)
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if _, err := OpenBinding(envelope); err != nil {
			checkCode(t, err)
		}
	})
}

func FuzzParseRevocation(f *testing.F) {
	_, bodies := sampleBodies(f)
	for _, b := range bodies {
		f.Add(b)
	}
	signer := newActor(f, 1)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRevocation(body)
		if err != nil {
			checkCode(t, err)
			return
		}
		if !bytes.HasPrefix(body, r.Bytes()) {
			t.Fatalf("%x is read as %x", body, r.Bytes())
		}
		envelope, err := identity.Sign(signer.key, identity.DomainRevocation, body)
		must(t, err)
		if _, err := OpenRevocation(envelope); err != nil {
			checkCode(t, err)
		}
	})
}

func FuzzHandshake(f *testing.F) {
	dialer, listener := newActor(f, 1), newActor(f, 2)
	h := handshakeOf(dialer, listener)
	signed, err := h.SignListener(listener.key)
	must(f, err)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if err := h.CheckListener(envelope); err != nil {
			checkCode(t, err)
		} else if !bytes.Equal(envelope, signed) {
			t.Fatalf("%x is taken for %x", envelope, signed)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	owner := newActor(f, 1)
	adv := exclusivePipe(owner)
	r := record(f, owner, bindingBy(f, owner, adv, 1, 1))
	q := Query{Key: adv.ID().Key(), Proof: make([]byte, ProofSize), Transport: "tcp", Only: []peer.ID{owner.id}}
	store := &pb.Request{Op: &pb.Request_Store{Store: &pb.Store{Key: q.Key[:], Records: []*pb.Record{r.Message()}}}}
	for _, m := range []*pb.Request{q.Message(), store} {
		b, err := proto.Marshal(m)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.Request
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		if q, err := ParseQuery(m.GetQuery()); err != nil {
			checkCode(t, err)
		} else if again, err := ParseQuery(q.Message().GetQuery()); err != nil || again.Nonce != q.Nonce || len(again.Only) != len(q.Only) {
			t.Fatalf("%+v is sent as %+v: %v", q, again, err)
		}
		for _, r := range m.GetStore().GetRecords() {
			if _, err := OpenRecord(r); err != nil {
				checkCode(t, err)
			}
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	self, other := newActor(f, 1), newActor(f, 2)
	a := Answer{
		Code: wire.Busy, Reason: "later", Nonce: identity.Nonce{1}, Records: []AnswerRecord{{Envelope: []byte("a"), Unproven: []int{0, 2}}},
		Closer:  []peer.AddrInfo{{ID: other.id, Addrs: addrsFor(f, "/ip4/1.2.3.4/tcp/1")}},
		Results: []StoreResult{{Code: wire.Taken, Outcome: Outcome{Standing: []byte("e"), Displaced: [][]byte{{1}}}}}, Clock: recordEpoch,
	}
	b, err := proto.Marshal(a.Message())
	must(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.Answer
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		a, err := ParseAnswer(&m, self.id)
		if err != nil {
			checkCode(t, err)
			return
		}
		if len(a.Closer) > MaxCloser || len(a.Records) > MaxAnswerRecords || proto.Size(a.Message()) > MaxAnswer {
			t.Fatalf("above a cap: %+v", a)
		}
	})
}
