package pipe

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// recordEpoch is when the records of the tests are issued.
var recordEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// actor is a node with a key that is the same in every run.
type actor struct {
	key crypto.PrivKey
	id  peer.ID
	who identity.Principal
}

func newActor(t testing.TB, n byte) actor {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	must(t, err)
	id, err := peer.IDFromPrivateKey(key)
	must(t, err)
	return actor{key: key, id: id, who: identity.PeerPrincipal(id)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails unless err says code.
func wantCode(t testing.TB, err error, code wire.Code) {
	t.Helper()
	if !errors.Is(err, code) || wire.CodeOf(err) != code {
		t.Fatalf("error %v (%s), expected %s", err, wire.CodeOf(err), code)
	}
}

func addrsFor(t testing.TB, texts ...string) []ma.Multiaddr {
	t.Helper()
	var list []ma.Multiaddr
	for _, s := range texts {
		a, err := ma.NewMultiaddr(s)
		must(t, err)
		list = append(list, a)
	}
	return list
}

func exclusivePipe(owner actor) Advertisement {
	return Advertisement{
		Type: TypeUnicast, Name: "files", Owner: owner.who, Binders: Exclusive,
		DialPolicy: DialOpen, Reliable: true, Salt: [SaltSize]byte{1, 2, 3},
	}
}

func manyPipe(owner actor) Advertisement {
	a := exclusivePipe(owner)
	a.Binders = Many
	return a
}

// bindingBy is a binding that the owner signs unless a capability is given.
func bindingBy(t testing.TB, by actor, adv Advertisement, seq, term uint64) Binding {
	return Binding{
		Pipe: adv.ID(), Advertisement: adv, Binder: by.who, Seq: seq, Issued: recordEpoch,
		Life: 30 * time.Minute, Term: term,
		Endpoints: addrsFor(t, "/ip4/1.2.3.4/tcp/4001", "/ip4/1.2.3.4/udp/4001/quic-v1"),
	}
}

func bindRight(owner, to actor, adv Advertisement, term uint64) identity.Capability {
	return identity.Capability{
		Issuer: owner.who, Subject: to.who, Object: adv.ID().Bytes(), Right: identity.RightBind, Term: term,
		NotBefore: recordEpoch, Expiry: recordEpoch.Add(48 * time.Hour), Nonce: identity.Nonce{0: byte(term), 15: to.id[len(to.id)-1] | 1},
	}
}

// granted is a binding by somebody else than the owner.
func granted(t testing.TB, owner, by actor, adv Advertisement, seq, term uint64) Binding {
	t.Helper()
	b := bindingBy(t, by, adv, seq, term)
	var err error
	b.Capability, err = bindRight(owner, by, adv, term).Sign(owner.key)
	must(t, err)
	return b
}

// record signs and verifies.
func record(t testing.TB, by actor, b Binding) Record {
	t.Helper()
	envelope, err := b.Sign(by.key)
	must(t, err)
	opened, err := OpenBinding(envelope)
	must(t, err)
	return Record{Binding: &opened, Envelope: envelope}
}

func tombstone(b Binding) Binding {
	b.Seq++
	b.Withdrawn, b.Endpoints = true, nil
	return b
}

func revocationOf(c identity.Capability, adv Advertisement) Revocation {
	return Revocation{
		Pipe: adv.ID(), Advertisement: adv, Issuer: adv.Owner, Nonce: c.Nonce, Expiry: c.Expiry, Issued: recordEpoch,
	}
}

func revocationRecord(t testing.TB, owner actor, r Revocation) Record {
	t.Helper()
	envelope, err := r.Sign(owner.key)
	must(t, err)
	opened, err := OpenRevocation(envelope)
	must(t, err)
	return Record{Revocation: &opened, Envelope: envelope}
}

// forge signs bytes that Binding.Sign would refuse.
func forge(t testing.TB, by actor, d identity.Domain, body []byte) []byte {
	t.Helper()
	envelope, err := identity.Sign(by.key, d, body)
	must(t, err)
	return envelope
}

func TestBindingOfTheOwnerOpensAsItWasSigned(t *testing.T) {
	owner := newActor(t, 1)
	b := bindingBy(t, owner, exclusivePipe(owner), 7, 1)
	got := record(t, owner, b).Binding
	if !bytes.Equal(got.Bytes(), b.Bytes()) || !got.Offers(reach.QUIC) || got.Offers(reach.WS) {
		t.Fatalf("got %+v", got)
	}
	if _, ok := got.Grant(); ok {
		t.Fatal("the owner binds by a capability")
	}
}

func TestCapabilityMakesAnotherNodeTheBinder(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	got := record(t, other, granted(t, owner, other, adv, 1, 5)).Binding
	if c, ok := got.Grant(); !ok || c.Issuer != owner.who || c.Term != 5 {
		t.Fatalf("grant %+v %v", c, ok)
	}
}

func TestBindingWithoutRightIsForbidden(t *testing.T) {
	owner, other, third := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	adv := exclusivePipe(owner)
	otherPipe := exclusivePipe(owner)
	otherPipe.Name = "another"
	sign := func(c identity.Capability, by actor) []byte {
		envelope, err := c.Sign(by.key)
		must(t, err)
		return envelope
	}
	dial := bindRight(owner, other, adv, 5)
	dial.Right, dial.Term = identity.RightDial, 0
	foreign := bindRight(third, other, adv, 5)
	for name, capability := range map[string][]byte{
		"none":               nil,
		"for another peer":   sign(bindRight(owner, third, adv, 5), owner),
		"for another pipe":   sign(bindRight(owner, other, otherPipe, 5), owner),
		"for another right":  sign(dial, owner),
		"for another term":   sign(bindRight(owner, other, adv, 4), owner),
		"from another":       sign(foreign, third),
		"passed on by third": sign(bindRight(other, other, adv, 5), other),
	} {
		b := bindingBy(t, other, adv, 1, 5)
		b.Capability = capability
		_, err := OpenBinding(forge(t, other, identity.DomainBinding, b.Bytes()))
		if wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("capability %s: %v", name, err)
		}
	}
}

func TestExpiredOrForgedCapabilityIsRefused(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	b := granted(t, owner, other, adv, 1, 5)
	b.Issued = recordEpoch.Add(48 * time.Hour)
	_, err := b.Sign(other.key)
	wantCode(t, err, wire.Expired)
	b = granted(t, owner, other, adv, 1, 5)
	b.Capability[len(b.Capability)-1] ^= 1
	_, err = b.Sign(other.key)
	wantCode(t, err, wire.BadRequest)
}

func TestForeignSignatureIsRefused(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	b := bindingBy(t, owner, exclusivePipe(owner), 1, 1)
	_, err := b.Sign(other.key)
	wantCode(t, err, wire.BadRequest)
	_, err = OpenBinding(forge(t, owner, identity.DomainRevocation, b.Bytes()))
	wantCode(t, err, wire.BadRequest)
}

func TestMalformedBindingsAreRefused(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	account, err := identity.AccountPrincipal(other.key.GetPublic())
	must(t, err)
	tcpOnly := exclusivePipe(owner)
	tcpOnly.Transports = []reach.Transport{reach.TCP}
	for name, c := range map[string]struct {
		code   wire.Code
		change func(*Binding)
	}{
		"advertisement of another pipe": {wire.BadRequest, func(b *Binding) { b.Advertisement.Name = "x" }},
		"account as binder":             {wire.BadRequest, func(b *Binding) { b.Binder = account }},
		"no binder":                     {wire.BadRequest, func(b *Binding) { b.Binder = identity.Principal{} }},
		"no seq":                        {wire.BadRequest, func(b *Binding) { b.Seq = 0 }},
		"seq above all":                 {wire.BadRequest, func(b *Binding) { b.Seq = MaxNumber + 1 }},
		"term above all":                {wire.BadRequest, func(b *Binding) { b.Term = MaxNumber + 1 }},
		"no term":                       {wire.BadRequest, func(b *Binding) { b.Term = 0 }},
		"no issue":                      {wire.BadRequest, func(b *Binding) { b.Issued = time.Time{} }},
		"short life":                    {wire.BadRequest, func(b *Binding) { b.Life = MinLife - time.Second }},
		"long life":                     {wire.BadRequest, func(b *Binding) { b.Life = MaxLife + time.Second }},
		"tombstone with endpoints":      {wire.BadRequest, func(b *Binding) { b.Withdrawn = true }},
		"endpoint with peer ID":         {wire.BadRequest, func(b *Binding) { b.Endpoints = addrsFor(t, "/ip4/1.2.3.4/tcp/1/p2p/"+owner.id.String()) }},
		"endpoint twice":                {wire.BadRequest, func(b *Binding) { b.Endpoints = append(b.Endpoints, b.Endpoints[0]) }},
		"nine endpoints": {wire.TooLarge, func(b *Binding) {
			for range MaxEndpoints {
				b.Endpoints = append(b.Endpoints, b.Endpoints[0])
			}
		}},
		"transport not allowed": {wire.BadRequest, func(b *Binding) { b.Advertisement, b.Pipe = tcpOnly, tcpOnly.ID() }},
		"owner with capability": {wire.BadRequest, func(b *Binding) { b.Capability = []byte{1} }},
		"proof":                 {wire.BadRequest, func(b *Binding) { b.Proof = []byte{1} }},
		"long proof":            {wire.TooLarge, func(b *Binding) { b.Proof = make([]byte, identity.MaxProof+1) }},
		"account as owner": {wire.Forbidden, func(b *Binding) {
			b.Advertisement.Owner = account
			b.Pipe = b.Advertisement.ID()
		}},
	} {
		b := bindingBy(t, owner, exclusivePipe(owner), 1, 1)
		c.change(&b)
		_, err := OpenBinding(forge(t, owner, identity.DomainBinding, b.Bytes()))
		if wire.CodeOf(err) != c.code {
			t.Errorf("%s: %v, expected %s", name, err, c.code)
		}
	}
}

func TestRelayEndpointCountsAsRelay(t *testing.T) {
	owner, relay := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	adv.Transports = []reach.Transport{reach.Relay}
	b := bindingBy(t, owner, adv, 1, 1)
	b.Endpoints = addrsFor(t, "/ip4/5.6.7.8/tcp/1/p2p/"+relay.id.String()+"/p2p-circuit")
	if got := record(t, owner, b).Binding; !got.Offers(reach.Relay) || got.Offers(reach.TCP) {
		t.Fatal("relay endpoint is not relay")
	}
}

func TestUncriticalFieldsAreIgnoredAndCriticalOnesRefused(t *testing.T) {
	owner := newActor(t, 1)
	b := bindingBy(t, owner, exclusivePipe(owner), 1, 1)
	with := func(num uint64) []byte {
		var e wire.Builder
		e.Bytes(num, []byte("later"))
		return append(b.Bytes(), e.Build()...)
	}
	_, err := OpenBinding(forge(t, owner, identity.DomainBinding, with(1000)))
	must(t, err)
	_, err = OpenBinding(forge(t, owner, identity.DomainBinding, with(12)))
	wantCode(t, err, wire.Unsupported)
}

func TestClockRulesOfABinding(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	b := *record(t, owner, bindingBy(t, owner, adv, 1, 1)).Binding
	end := recordEpoch.Add(b.Life)
	for _, c := range []struct {
		at   time.Time
		code wire.Code
	}{
		{recordEpoch.Add(-Skew - time.Millisecond), wire.BadRequest},
		{recordEpoch.Add(-Skew), wire.OK},
		{end.Add(Skew - time.Millisecond), wire.OK},
		{end.Add(Skew), wire.Expired},
	} {
		if err := b.InTime(c.at); wire.CodeOf(err) != c.code {
			t.Errorf("at %s: %v, expected %s", c.at, err, c.code)
		}
		if b.LiveAt(c.at) != (c.code == wire.OK) {
			t.Errorf("at %s: live %v", c.at, b.LiveAt(c.at))
		}
	}
	if !b.Expires().Equal(end) {
		t.Errorf("expires %s", b.Expires())
	}

	g := granted(t, owner, other, adv, 1, 2)
	g.Issued = recordEpoch.Add(48*time.Hour - time.Minute)
	g = *record(t, other, g).Binding
	until := recordEpoch.Add(48 * time.Hour)
	if !g.Expires().Equal(until) || !g.LiveAt(until.Add(-1)) || g.LiveAt(until) {
		t.Error("a binding outlives its capability")
	}
	if dead := record(t, owner, tombstone(b)).Binding; dead.LiveAt(recordEpoch) || dead.InTime(recordEpoch) != nil {
		t.Error("a tombstone serves")
	}
}

func TestRevocationIsTheOwnersAlone(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	c := bindRight(owner, other, adv, 5)
	r := revocationOf(c, adv)
	got := revocationRecord(t, owner, r).Revocation
	if !bytes.Equal(got.Bytes(), r.Bytes()) {
		t.Fatal("opened as something else")
	}
	b := record(t, other, granted(t, owner, other, adv, 1, 5)).Binding
	own := record(t, owner, bindingBy(t, owner, adv, 1, 6)).Binding
	if !got.Voids(*b) || got.Voids(*own) {
		t.Fatal("voids the wrong binding")
	}
	_, err := r.Sign(other.key)
	wantCode(t, err, wire.BadRequest)
	foreign := r
	foreign.Issuer = other.who
	_, err = foreign.Sign(other.key)
	wantCode(t, err, wire.Forbidden)
	proven := r
	proven.Proof = []byte{1}
	_, err = proven.Sign(owner.key)
	wantCode(t, err, wire.BadRequest)
	nameless := r
	nameless.Nonce = identity.Nonce{}
	_, err = nameless.Sign(owner.key)
	wantCode(t, err, wire.BadRequest)
}

func TestClockRulesOfARevocation(t *testing.T) {
	owner, other := newActor(t, 1), newActor(t, 2)
	adv := exclusivePipe(owner)
	r := revocationOf(bindRight(owner, other, adv, 5), adv)
	wantCode(t, r.InTime(recordEpoch.Add(-Skew-1)), wire.BadRequest)
	must(t, r.InTime(recordEpoch.Add(-Skew)))
	must(t, r.InTime(r.Expiry.Add(Skew-1)))
	wantCode(t, r.InTime(r.Expiry.Add(Skew)), wire.Expired)
}
