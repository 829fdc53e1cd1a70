package pipe

import (
	"bytes"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// capabilityOf makes a dial capability and lets change spoil it.
func capabilityOf(t *testing.T, owner, subject actor, id ID, now time.Time, change func(*identity.Capability)) (identity.Capability, []byte) {
	t.Helper()
	c := identity.Capability{
		Issuer: owner.who, Subject: subject.who, Object: id.Bytes(), Right: identity.RightDial,
		Expiry: now.Add(time.Hour), Nonce: identity.NewNonce(),
	}
	change(&c)
	envelope, err := c.Sign(owner.key)
	must(t, err)
	return c, envelope
}

func TestDialPolicyTable(t *testing.T) {
	owner, listed, bearer, stranger := newActor(t, 1), newActor(t, 2), newActor(t, 3), newActor(t, 4)
	now := time.Now()
	adv := Advertisement{Type: TypeUnicast, Owner: owner.who, Binders: Exclusive, Reliable: true}
	id := adv.ID()
	same := func(*identity.Capability) {}
	_, good := capabilityOf(t, owner, bearer, id, now, same)
	revokedCap, revoked := capabilityOf(t, owner, bearer, id, now, same)
	_, late := capabilityOf(t, owner, bearer, id, now, func(c *identity.Capability) { c.Expiry = now.Add(-time.Second) })
	_, early := capabilityOf(t, owner, bearer, id, now, func(c *identity.Capability) { c.NotBefore = now.Add(20 * time.Minute) })
	_, toBind := capabilityOf(t, owner, bearer, id, now, func(c *identity.Capability) { c.Right = identity.RightBind })
	_, other := capabilityOf(t, owner, bearer, IDOf([]byte("other")), now, same)
	_, forged := capabilityOf(t, stranger, bearer, id, now, same)
	cases := []struct {
		name       string
		policy     DialPolicy
		who        actor
		capability []byte
		want       wire.Code
	}{
		{"open admits everybody", DialOpen, stranger, nil, wire.OK},
		{"open does not look at capabilities", DialOpen, stranger, []byte("nonsense"), wire.OK},
		{"listed admits the listed", DialListed, listed, nil, wire.OK},
		{"listed admits the owner", DialListed, owner, nil, wire.OK},
		{"listed refuses strangers", DialListed, stranger, nil, wire.Forbidden},
		{"listed admits a capability too", DialListed, bearer, good, wire.OK},
		{"capability admits its bearer", DialCapability, bearer, good, wire.OK},
		{"capability admits the listed too", DialCapability, listed, nil, wire.OK},
		{"capability refuses without one", DialCapability, bearer, nil, wire.Forbidden},
		{"capability refuses another's", DialCapability, stranger, good, wire.Forbidden},
		{"capability refuses a revoked one", DialCapability, bearer, revoked, wire.Forbidden},
		{"capability refuses an expired one", DialCapability, bearer, late, wire.Expired},
		{"capability refuses one of the future", DialCapability, bearer, early, wire.Forbidden},
		{"capability refuses another right", DialCapability, bearer, toBind, wire.Forbidden},
		{"capability refuses another pipe's", DialCapability, bearer, other, wire.Forbidden},
		{"capability refuses another issuer", DialCapability, bearer, forged, wire.Forbidden},
		{"capability refuses nonsense", DialCapability, bearer, []byte("nonsense"), wire.BadRequest},
	}
	for _, c := range cases {
		a := adv
		a.DialPolicy = c.policy
		g := gate{
			advertisement: a, pipe: id, allow: map[identity.Principal]bool{listed.who: true}, now: now, open: identity.OpenCapability,
			revoked: func(c identity.Capability) bool { return c.Nonce == revokedCap.Nonce },
		}
		err := g.admit(opening{pipe: id, principal: c.who.who, capability: c.capability}, reach.TCP)
		if got := wire.CodeOf(err); got != c.want {
			t.Errorf("%s: %s (%v), expected %s", c.name, got, err, c.want)
		}
	}
}

func TestDialerOnATransportThatThePipeDoesNotAllowIsRefused(t *testing.T) {
	owner := newActor(t, 1)
	g := gate{advertisement: Advertisement{Owner: owner.who, DialPolicy: DialOpen, Transports: []reach.Transport{reach.QUIC}}}
	wantCode(t, g.admit(opening{principal: owner.who}, reach.TCP), wire.Unsupported)
	must(t, g.admit(opening{principal: owner.who}, reach.QUIC))
	must(t, g.admit(opening{principal: owner.who}, reach.Any)) // within one node
}

func TestOpenIsChecked(t *testing.T) {
	me, other := newActor(t, 1), newActor(t, 2)
	id := IDOf([]byte("a pipe"))
	account, err := identity.AccountPrincipal(other.key.GetPublic())
	must(t, err)
	cases := map[string]struct {
		change func(*pb.Open)
		want   wire.Code
	}{
		"good":             {func(*pb.Open) {}, wire.OK},
		"own principal":    {func(m *pb.Open) { m.Principal = me.who.Bytes() }, wire.OK},
		"unknown features": {func(m *pb.Open) { m.Features = 1 << 60 }, wire.OK},
		"no pipe":          {func(m *pb.Open) { m.Pipe = nil }, wire.BadRequest},
		"short nonce":      {func(m *pb.Open) { m.Nonce = m.Nonce[:15] }, wire.BadRequest},
		"bad principal":    {func(m *pb.Open) { m.Principal = []byte{1, 2, 3} }, wire.BadRequest},
		"other principal":  {func(m *pb.Open) { m.Principal = other.who.Bytes() }, wire.Forbidden},
		"account":          {func(m *pb.Open) { m.Principal = account.Bytes() }, wire.BadRequest},
		"proof":            {func(m *pb.Open) { m.Proof = []byte{1} }, wire.BadRequest},
	}
	for name, c := range cases {
		m := &pb.Open{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize)}
		c.change(m)
		o, err := parseOpen(m, me.id, identity.ParseLog)
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
		if err == nil && (o.principal != me.who || o.pipe != id) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func FuzzOpening(f *testing.F) {
	id := IDOf([]byte("a pipe"))
	for _, m := range []*pb.Open{
		{},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize)},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Capability: []byte("c"), Principal: []byte{1, 2}, Term: 1 << 63},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Proof: []byte{1}},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Probe: true},
	} {
		var b bytes.Buffer
		must(f, wire.WriteMessage(&b, m, MaxOpen))
		f.Add(b.Bytes())
	}
	me := newActor(f, 1)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.Open
		if wire.ReadMessage(bytes.NewReader(b), &m, MaxOpen) != nil {
			return
		}
		o, err := parseOpen(&m, me.id, identity.ParseLog)
		if err != nil {
			return
		}
		if o.principal != me.who || !bytes.Equal(o.pipe.Bytes(), m.Pipe) {
			t.Errorf("parsed %+v", o)
		}
		g := gate{advertisement: Advertisement{Owner: newActor(t, 2).who, DialPolicy: DialCapability}, pipe: o.pipe, open: identity.OpenCapability}
		if g.admit(o, reach.TCP) == nil {
			t.Error("admitted without a capability of the owner")
		}
	})
}

func TestTruncatedOpenIsRefused(t *testing.T) {
	var b bytes.Buffer
	must(t, wire.WriteMessage(&b, &pb.Open{Pipe: IDOf(nil).Bytes(), Nonce: make([]byte, NonceSize)}, MaxOpen))
	for n := range b.Len() {
		var m pb.Open
		if wire.ReadMessage(bytes.NewReader(b.Bytes()[:n]), &m, MaxOpen) == nil {
			t.Errorf("%d of %d bytes are taken", n, b.Len())
		}
	}
}
