package pipe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maker makes the vectors: everything in them comes from the keys, names and
// times below, so that they are the same in every run.
type maker struct {
	t                   testing.TB
	v                   vectors
	owner, other, third actor
	account             identity.Principal
	log                 *identity.DeviceLog // the account's: third is its device
	proof               []byte              // the same
}

func makeVectors(t testing.TB) vectors {
	m := &maker{t: t, owner: newActor(t, 1), other: newActor(t, 2), third: newActor(t, 3)}
	device := identity.Device{ID: m.third.id, Box: identity.BoxKey{3}}
	log, err := identity.NewLog(newActor(t, 4).key, device, time.UnixMilli(1767323045000))
	must(t, err)
	m.account, m.log, m.proof = log.Account(), log, log.Bytes()
	m.v.Keys = []keyVector{keyVectorOf(t, "owner", m.owner), keyVectorOf(t, "other", m.other), keyVectorOf(t, "third", m.third)}
	m.advertisements()
	m.bindings()
	m.revocations()
	m.orders()
	m.handshakes()
	m.messages()
	m.refused()
	return m.v
}

func (m *maker) secure() Advertisement {
	return Advertisement{
		Type: TypeSecure, Owner: m.owner.who, Binders: Many, Transports: []reach.Transport{reach.QUIC, reach.TCP, reach.WS},
		DialPolicy: DialCapability, Salt: [SaltSize]byte(bytes.Repeat([]byte{0xaa}, SaltSize)),
	}
}

func (m *maker) ofAccount() Advertisement {
	a := exclusivePipe(m.owner)
	a.Owner = m.account
	return a
}

func (m *maker) advertisements() {
	derived := exclusivePipe(m.owner)
	derived.Name, derived.Salt = "Ünïcode ♫", [SaltSize]byte{}
	propagate := manyPipe(m.owner)
	propagate.Type, propagate.DialPolicy, propagate.Reliable = TypePropagate, DialListed, false
	later := append(exclusivePipe(m.owner).Bytes(), new(wire.Builder).Bytes(1000, []byte("may be ignored")).Build()...)
	withLater, err := ParseAdvertisement(later)
	must(m.t, err)
	for _, n := range []named[Advertisement]{
		{"exclusive unicast", exclusivePipe(m.owner)}, {"many, secure, three transports, by capability", m.secure()},
		{"zero salt", derived}, {"propagate, listed, not reliable", propagate}, {"owned by an account", m.ofAccount()},
		{"with a field that may be ignored", withLater},
	} {
		a := n.value
		m.v.Advertisements = append(m.v.Advertisements, advertisementVector{
			Name: n.name, Fields: adFields(a), Bytes: hex.EncodeToString(a.Bytes()), ID: a.ID().String(),
			IDHex: hex.EncodeToString(a.ID().Bytes()), Key: a.ID().Key().String(),
		})
	}
}

func (m *maker) bindings() {
	adv := exclusivePipe(m.owner)
	relayed := bindingBy(m.t, m.owner, manyPipe(m.owner), MaxNumber, 0)
	relayed.Endpoints = addrsFor(m.t, "/ip4/5.6.7.8/tcp/4001/p2p/"+m.third.id.String()+"/p2p-circuit", "/dns4/example.org/tcp/443/wss")
	proven := bindingBy(m.t, m.other, m.ofAccount(), 1, 3)
	proven.Capability = m.accountRight()
	device := bindingBy(m.t, m.third, m.ofAccount(), 1, 3)
	device.Proof = m.proof
	withdrawn := tombstone(device)
	m.binding("by the owner", m.owner, "owner", bindingBy(m.t, m.owner, adv, 1767323045000, 1))
	m.binding("by another, with the owner's capability", m.other, "other", granted(m.t, m.owner, m.other, adv, 1, 2))
	m.binding("tombstone", m.owner, "owner", tombstone(bindingBy(m.t, m.owner, adv, 1767323045000, 1)))
	m.binding("many binders, relayed and named endpoints, highest seq", m.owner, "owner", relayed)
	m.binding("account's pipe, by a device, with proof", m.third, "third", device)
	m.binding("account's pipe, tombstone by a device, with proof", m.third, "third", withdrawn)
	m.binding("account's pipe, by another, capability with proof", m.other, "other", proven)
}

// accountRight is the account's capability for other to bind its pipe.
func (m *maker) accountRight() []byte {
	right := bindRight(m.owner, m.other, m.ofAccount(), 3)
	right.Issuer, right.Proof = m.account, m.proof
	envelope, err := right.Sign(m.third.key)
	must(m.t, err)
	return envelope
}

func (m *maker) binding(name string, by actor, signer string, b Binding) {
	envelope := forge(m.t, by, identity.DomainBinding, b.Bytes())
	_, err := OpenBinding(envelope)
	m.v.Bindings = append(m.v.Bindings, bindingVector{
		Name: name, Signer: signer, Fields: bindFields(b), Body: hex.EncodeToString(b.Bytes()),
		Envelope: hex.EncodeToString(envelope), Code: wire.CodeOf(err).String(),
	})
}

func (m *maker) revocations() {
	adv := exclusivePipe(m.owner)
	plain := revocationOf(bindRight(m.owner, m.other, adv, 2), adv)
	proven := revocationOf(bindRight(m.owner, m.other, m.ofAccount(), 3), m.ofAccount())
	proven.Proof = m.proof
	for _, n := range []named[Revocation]{{"by the owner", plain}, {"account's pipe, by a device, with proof", proven}} {
		r := n.value
		by, signer := m.owner, "owner"
		if r.Issuer == m.account {
			by, signer = m.third, "third"
		}
		envelope := forge(m.t, by, identity.DomainRevocation, r.Bytes())
		_, err := OpenRevocation(envelope)
		m.v.Revocations = append(m.v.Revocations, revocationVector{
			Name: n.name, Signer: signer, Fields: revokeFields(r), Body: hex.EncodeToString(r.Bytes()),
			Envelope: hex.EncodeToString(envelope), Code: wire.CodeOf(err).String(),
		})
	}
}

func (m *maker) orders() {
	high, low := ranked(m.t)
	adv := exclusivePipe(m.owner)
	rank := func(b Binding) orderRank {
		hash := sha256.Sum256(b.Binder.Bytes())
		return orderRank{Term: b.Term, Binder: b.Binder.String(), Hash: hex.EncodeToString(hash[:]), Seq: b.Seq}
	}
	for _, c := range [][2]Binding{
		{bindingBy(m.t, low, adv, 1, 6), bindingBy(m.t, high, adv, 9, 5)},
		{bindingBy(m.t, high, adv, 1, 5), bindingBy(m.t, low, adv, 9, 5)},
		{bindingBy(m.t, low, adv, 2, 5), bindingBy(m.t, low, adv, 1, 5)},
	} {
		if !c[0].Beats(c[1]) {
			m.t.Fatal("order vector is wrong")
		}
		m.v.Order = append(m.v.Order, orderVector{Winner: rank(c[0]), Loser: rank(c[1])})
	}
}

func (m *maker) handshakes() {
	h := handshakeOf(m.owner, m.other)
	h.Pipe = m.secure().ID()
	byListener, err := h.SignListener(m.other.key)
	must(m.t, err)
	byDialer, err := h.SignDialer(m.owner.key)
	must(m.t, err)
	m.handshake("two nodes", h, m.owner, m.other)
	spoken := h
	spoken.Dialer, spoken.DialerPrincipal = m.third.id, m.account
	m.handshake("an account's device and a node", spoken, m.third, m.other)
	m.v.Messages = append(m.v.Messages,
		m.message("Open", "open", &pb.Open{Pipe: h.Pipe.Bytes(), Nonce: h.DialerNonce[:], Principal: m.owner.who.Bytes()}),
		m.message("Open", "open of a connection that has gone through two gateways", &pb.Open{Pipe: h.Pipe.Bytes(), Nonce: h.DialerNonce[:], Hops: 2}),
		m.message("Open", "watch", &pb.Open{Pipe: h.Pipe.Bytes(), Nonce: h.DialerNonce[:], Probe: true, Watch: true}),
		m.message("Open", "open as an account", &pb.Open{
			Pipe: h.Pipe.Bytes(), Nonce: h.DialerNonce[:], Principal: m.account.Bytes(), Proof: m.proof,
		}),
		m.message("OpenReply", "accepted", &pb.OpenReply{}),
		m.message("OpenReply", "refused by the service", &pb.OpenReply{Code: uint32(wire.Refused), Reason: "nobody listens at the target"}),
		m.message("OpenReply", "accepted, secure", &pb.OpenReply{Nonce: h.ListenerNonce[:], Signature: byListener}),
		m.message("Confirm", "confirm", &pb.Confirm{Signature: byDialer}))
}

func (m *maker) handshake(name string, h Handshake, dialer, listener actor) {
	byListener, err := h.SignListener(listener.key)
	must(m.t, err)
	byDialer, err := h.SignDialer(dialer.key)
	must(m.t, err)
	m.v.Handshakes = append(m.v.Handshakes, handshakeVector{
		Name: name, Pipe: h.Pipe.String(), Dialer: h.Dialer.String(), Listener: h.Listener.String(),
		DialerPrincipal: h.dialer().String(), ListenerPrincipal: h.listener().String(),
		DialerNonce: h.DialerNonce.String(), ListenerNonce: h.ListenerNonce.String(),
		ListenerBody: hex.EncodeToString(h.bytes(listenerSide)), ByListener: hex.EncodeToString(byListener),
		DialerBody: hex.EncodeToString(h.bytes(dialerSide)), ByDialer: hex.EncodeToString(byDialer),
	})
}

func (m *maker) messages() {
	adv := exclusivePipe(m.owner)
	id, nonce := adv.ID(), identity.Nonce{15: 7}
	proof := QueryProof(id, nonce[:], m.other.id, m.third.id)
	m.v.QueryProofs = []queryVector{{
		ID: id.String(), Nonce: nonce.String(), Asker: m.other.id.String(), Asked: m.third.id.String(), Proof: hex.EncodeToString(proof),
	}}
	r := record(m.t, m.owner, bindingBy(m.t, m.owner, adv, 1, 1))
	key := id.Key()
	query := Query{Nonce: nonce, Key: key, Proof: proof, Transport: reach.QUIC, Only: []peer.ID{m.owner.id}, WantAdvertisement: true}
	answer := Answer{
		Nonce: nonce, Found: true, Clock: recordEpoch.Add(time.Minute),
		Records: []AnswerRecord{{Envelope: r.Envelope, Unproven: []int{1}, Age: time.Minute, Origin: OriginHeld}},
		Closer:  []peer.AddrInfo{{ID: m.owner.id, Addrs: addrsFor(m.t, "/ip4/1.2.3.4/tcp/4001")}},
	}
	stored := Answer{Results: []StoreResult{
		{Outcome: Outcome{Displaced: [][]byte{r.Envelope}}},
		{Code: wire.Taken, Reason: "term 1 is over", Outcome: Outcome{Standing: r.Envelope}},
	}}
	m.v.Messages = append(m.v.Messages,
		m.message("Request", "query", query.Message()), m.message("Answer", "answer to a query", answer.Message()),
		m.message("Request", "store", &pb.Request{Op: &pb.Request_Store{Store: &pb.Store{Key: key[:], Records: []*pb.Record{r.Message()}}}}),
		m.message("Answer", "answer to a store", stored.Message()),
		m.message("Request", "replaced", &pb.Request{Op: &pb.Request_Replaced{Replaced: &pb.Replaced{Binding: r.Envelope}}}))
}

func (m *maker) message(kind, name string, msg proto.Message) messageVector {
	var b bytes.Buffer
	must(m.t, wire.WriteMessage(&b, msg, MaxAnswer))
	return messageVector{Name: name, Type: kind, Bytes: hex.EncodeToString(b.Bytes())}
}

func (m *maker) refused() {
	adv := exclusivePipe(m.owner)
	unsorted := m.secure()
	unsorted.Transports = []reach.Transport{reach.TCP, reach.QUIC}
	later := append(adv.Bytes(), new(wire.Builder).Bytes(9, []byte("critical")).Build()...)
	m.refuse("advertisement", "transports not sorted", unsorted.Bytes())
	m.refuse("advertisement", "unknown critical field", later)
	m.refuse("advertisement", "cut off", adv.Bytes()[:len(adv.Bytes())-1])

	b := bindingBy(m.t, m.owner, adv, 1, 1)
	m.refuse("binding", "signed by another", forge(m.t, m.other, identity.DomainBinding, b.Bytes()))
	m.refuse("binding", "signed under another domain", forge(m.t, m.owner, identity.DomainRevocation, b.Bytes()))
	foreign := bindingBy(m.t, m.other, adv, 1, 1)
	m.refuse("binding", "binder without capability", forge(m.t, m.other, identity.DomainBinding, foreign.Bytes()))
	wrongTerm := granted(m.t, m.owner, m.other, adv, 1, 2)
	wrongTerm.Term = 3
	m.refuse("binding", "term is not the capability's", forge(m.t, m.other, identity.DomainBinding, wrongTerm.Bytes()))
	wrongPipe := b
	wrongPipe.Advertisement.Name = "another"
	m.refuse("binding", "advertisement of another pipe", forge(m.t, m.owner, identity.DomainBinding, wrongPipe.Bytes()))
	noTerm := b
	noTerm.Term = 0
	m.refuse("binding", "exclusive without term", forge(m.t, m.owner, identity.DomainBinding, noTerm.Bytes()))

	r := revocationOf(bindRight(m.owner, m.other, adv, 2), adv)
	r.Issuer = m.other.who
	m.refuse("revocation", "by another than the owner", forge(m.t, m.other, identity.DomainRevocation, r.Bytes()))
	m.refusedOfAccounts()
}

func (m *maker) refusedOfAccounts() {
	adv := m.ofAccount()
	binding := func(name string, by actor, proof, capability []byte) {
		b := bindingBy(m.t, by, adv, 1, 3)
		b.Proof, b.Capability = proof, capability
		m.refuse("binding", "account's pipe, "+name, forge(m.t, by, identity.DomainBinding, b.Bytes()))
	}
	stranger, err := identity.NewLog(newActor(m.t, 5).key, identity.Device{ID: m.other.id, Box: identity.BoxKey{5}}, recordEpoch)
	must(m.t, err)
	without, err := m.log.Append(m.third.key, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: m.third.id}, At: recordEpoch})
	must(m.t, err)
	binding("neither proof nor capability", m.third, nil, nil)
	binding("the log does not have the binder", m.other, m.proof, nil)
	binding("the log has revoked the binder", m.third, without.Bytes(), nil)
	binding("the log is another account's", m.other, stranger.Bytes(), nil)
	binding("the log is cut off", m.third, m.proof[:len(m.proof)-1], nil)
	binding("proof and capability", m.other, m.proof, m.accountRight())

	b := bindingBy(m.t, m.third, exclusivePipe(m.third), 1, 1)
	b.Proof = m.proof
	m.refuse("binding", "a node's pipe, with the proof of an account", forge(m.t, m.third, identity.DomainBinding, b.Bytes()))

	r := revocationOf(bindRight(m.owner, m.other, adv, 3), adv)
	m.refuse("revocation", "account's pipe, without proof", forge(m.t, m.third, identity.DomainRevocation, r.Bytes()))
	r.Proof = m.proof
	m.refuse("revocation", "account's pipe, the log does not have the signer", forge(m.t, m.other, identity.DomainRevocation, r.Bytes()))
}

func (m *maker) refuse(what, name string, b []byte) {
	var err error
	switch what {
	case "advertisement":
		_, err = ParseAdvertisement(b)
	case "binding":
		_, err = OpenBinding(b)
	case "revocation":
		_, err = OpenRevocation(b)
	}
	if err == nil {
		m.t.Fatalf("%s is not refused", name)
	}
	m.v.Refused = append(m.v.Refused, refusedVector{Name: name, What: what, Bytes: hex.EncodeToString(b), Code: wire.CodeOf(err).String()})
}

// named is a vector to be.
type named[T any] struct {
	name  string
	value T
}
