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

func TestOpenOfADeviceIsItsAccounts(t *testing.T) {
	me, other := newActor(t, 1), newActor(t, 2)
	l := testLog(t, 9, me, other)
	without := revoking(t, l, other.key, me.id)
	foreign := testLog(t, 8, me)
	cases := map[string]struct {
		principal identity.Principal
		proof     []byte
		want      wire.Code
	}{
		"a device":                {l.Account(), l.Bytes(), wire.OK},
		"no proof":                {l.Account(), nil, wire.BadRequest},
		"a node with proof":       {me.who, l.Bytes(), wire.BadRequest},
		"nobody with proof":       {identity.Principal{}, l.Bytes(), wire.BadRequest},
		"another's log":           {l.Account(), foreign.Bytes(), wire.Forbidden},
		"revoked":                 {l.Account(), without.Bytes(), wire.Forbidden},
		"cut off":                 {l.Account(), l.Bytes()[:l.Len()], wire.BadRequest},
		"too long":                {l.Account(), make([]byte, identity.MaxDeviceLog+1), wire.TooLarge},
		"a log without this node": {l.Account(), testLog(t, 9, other).Bytes(), wire.Forbidden},
	}
	for name, c := range cases {
		m := &pb.Open{Pipe: IDOf(nil).Bytes(), Nonce: make([]byte, NonceSize), Principal: c.principal.Bytes(), Proof: c.proof}
		o, err := parseOpen(m, me.id, identity.ParseLog)
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
		if err == nil && (o.principal != l.Account() || o.peer != me.who || o.device != me.id) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestGateKnowsNodeAndAccountOfADialer(t *testing.T) {
	owner, device, other := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	l := testLog(t, 9, device, other)
	adv := Advertisement{Type: TypeUnicast, Owner: owner.who, Binders: Exclusive, DialPolicy: DialListed, Reliable: true}
	now := time.Now()
	toNode, toAccount := actor{who: device.who}, actor{who: l.Account()}
	_, forNode := capabilityOf(t, owner, toNode, adv.ID(), now, func(*identity.Capability) {})
	_, forAccount := capabilityOf(t, owner, toAccount, adv.ID(), now, func(*identity.Capability) {})
	as := opening{peer: device.who, principal: l.Account(), speaker: speaker{device.id, l}}
	plain := opening{peer: device.who, principal: device.who}
	mine := adv
	mine.Owner = l.Account()
	for name, c := range map[string]struct {
		adv        Advertisement
		allow      identity.Principal
		o          opening
		capability []byte
		silenced   bool
		want       wire.Code
	}{
		"listed account":                {adv, l.Account(), as, nil, false, wire.OK},
		"listed account, node alone":    {adv, l.Account(), plain, nil, false, wire.Forbidden},
		"listed node as account":        {adv, device.who, as, nil, false, wire.OK},
		"listed account, revoked":       {adv, l.Account(), as, nil, true, wire.Forbidden},
		"owner":                         {mine, identity.Principal{}, as, nil, false, wire.OK},
		"owner's device as node":        {mine, identity.Principal{}, plain, nil, false, wire.Forbidden},
		"right of the account":          {adv, identity.Principal{}, as, forAccount, false, wire.OK},
		"right of the account, no log":  {adv, identity.Principal{}, plain, forAccount, false, wire.Forbidden},
		"right of the node, as account": {adv, identity.Principal{}, as, forNode, false, wire.OK},
	} {
		g := gate{
			advertisement: c.adv, pipe: adv.ID(), allow: map[identity.Principal]bool{c.allow: true}, now: now, open: identity.OpenCapability,
			revoked: func(identity.Capability) bool { return false }, silenced: func(speaker) bool { return c.silenced },
		}
		c.o.capability = c.capability
		if err := g.admit(c.o, reach.TCP); wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
}

func FuzzOpening(f *testing.F) {
	id := IDOf([]byte("a pipe"))
	l := testLog(f, 9, newActor(f, 1))
	for _, m := range []*pb.Open{
		{},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize)},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Capability: []byte("c"), Principal: []byte{1, 2}, Term: 1 << 63},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Proof: []byte{1}},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Probe: true},
		{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Principal: l.Account().Bytes(), Proof: l.Bytes()},
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
		if o.peer != me.who || o.principal != me.who && !o.log.Valid(me.id) || !bytes.Equal(o.pipe.Bytes(), m.Pipe) {
			t.Errorf("parsed %+v", o)
		}
		g := gate{advertisement: Advertisement{Owner: newActor(t, 2).who, DialPolicy: DialCapability}, pipe: o.pipe, open: identity.OpenCapability, silenced: func(speaker) bool { return false }}
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
