package pipe

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestListedDialersAloneAreAdmittedAndTheListChangesLive(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{DialPolicy: DialListed})
	l := n[0].listen(t, id, ListenOptions{Allow: []identity.Principal{n[1].principal()}})
	echo(l)
	n[1].say(t, id, DialOptions{})
	err := n[2].opened(t, id, DialOptions{})
	wantCode(t, err, wire.Forbidden)
	l.SetAllow([]identity.Principal{n[2].principal()}, false)
	n[2].say(t, id, DialOptions{})
	err = n[1].opened(t, id, DialOptions{})
	wantCode(t, err, wire.Forbidden)
}

func TestDialCapabilityIsWantedAndCanBeRevoked(t *testing.T) {
	_, n := loopback(t, 5)
	owner, binder, dialer := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{DialPolicy: DialCapability})
	bind := owner.letBind(t, id, binder, 0)
	echo(binder.listen(t, id, ListenOptions{Capability: bind}))
	err := dialer.opened(t, id, DialOptions{})
	wantCode(t, err, wire.Forbidden)

	text, c, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightDial, To: dialer.principal()})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	dialer.say(t, id, DialOptions{Capability: envelope})
	err = n[3].opened(t, id, DialOptions{Capability: envelope})
	wantCode(t, err, wire.Forbidden)

	told := binder.tally.count(EventStore)
	must(t, owner.Revoke(within(t), c.Nonce.String()))
	binder.tally.await(t, EventStore, told+1)
	err = dialer.opened(t, id, DialOptions{Capability: envelope})
	wantCode(t, err, wire.Forbidden)
}

func TestRevokedBindEndsTheBinder(t *testing.T) {
	_, n := loopback(t, 4)
	owner, binder := n[0], n[1]
	id := owner.create(t, CreateOptions{})
	text, _, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightBind, To: binder.principal()})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	l := binder.listen(t, id, ListenOptions{Capability: envelope})
	must(t, owner.Revoke(within(t), text))
	_, err = l.Accept()
	wantCode(t, err, wire.Forbidden)
	_, err = n[2].Resolve(within(t), id, ResolveOptions{})
	wantCode(t, err, wire.Unbound)
	_, err = binder.Listen(within(t), id, ListenOptions{Capability: envelope})
	wantCode(t, err, wire.Forbidden)
}

func TestBindWithoutTheRightSaysWhatIsMissing(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	other := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	self := n[1].principal()
	cases := map[string][]byte{
		"none":           nil,
		"for another":    n[0].letBind(t, id, n[2], 0),
		"another pipe":   n[0].grant(t, other, GrantOptions{Right: identity.RightBind, To: self}),
		"another right":  n[0].grant(t, id, GrantOptions{Right: identity.RightDial, To: self}),
		"another issuer": forgedGrant(t, n[1], id, self),
	}
	for name, capability := range cases {
		_, err := n[1].Listen(within(t), id, ListenOptions{Capability: capability})
		if wire.CodeOf(err) != wire.Forbidden || wire.NextOf(err) == "" {
			t.Errorf("%s: error %v, next %q", name, err, wire.NextOf(err))
		}
	}
}

// forgedGrant is a capability that its subject has issued to itself.
func forgedGrant(t *testing.T, by *node, id ID, to identity.Principal) []byte {
	t.Helper()
	c := identity.Capability{
		Issuer: by.principal(), Subject: to, Object: id.Bytes(), Right: identity.RightBind, Term: 7,
		Expiry: time.Now().Add(time.Hour), Nonce: identity.NewNonce(),
	}
	envelope, err := c.Sign(by.key)
	must(t, err)
	return envelope
}

func TestOnlyTheOwnerGrantsAndRevokes(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	_, _, err := n[1].Grant(within(t), id, GrantOptions{Right: identity.RightBind, To: n[1].principal()})
	wantCode(t, err, wire.Unknown)
	text, c, err := n[0].Grant(within(t), id, GrantOptions{Right: identity.RightDial, To: n[1].principal()})
	must(t, err)
	wantCode(t, n[1].Revoke(within(t), text), wire.Forbidden)
	wantCode(t, n[1].Revoke(within(t), c.Nonce.String()), wire.Unknown)
	wantCode(t, n[1].Revoke(within(t), "nonsense"), wire.BadRequest)
	got, err := n[0].Grants(within(t), id)
	must(t, err)
	if len(got) != 1 || got[0].Nonce != c.Nonce {
		t.Errorf("grants %+v", got)
	}
}

func TestBusyListenerRefusesAndTheDialSaysSo(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{Type: TypeSecure})
	n[0].listen(t, id, ListenOptions{Backlog: 1})
	c, err := n[1].Dial(within(t), id, DialOptions{})
	must(t, err)
	defer c.Reset()
	n[0].tally.await(t, EventAccept, 1)
	err = n[1].opened(t, id, DialOptions{})
	wantCode(t, err, wire.Busy)
}
