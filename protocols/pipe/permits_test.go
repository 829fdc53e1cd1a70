package pipe

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestShownCapabilityIsVerifiedOnceAndJudgedEachTime(t *testing.T) {
	w, n := loopback(t, 3)
	dialer, other := n[0], n[1]
	owner := w.add(func(c *Config) { c.Limits.RequestRate, c.Limits.RequestBurst = 0.1, 40 })
	id := owner.create(t, CreateOptions{DialPolicy: DialCapability})
	l := owner.listen(t, id, ListenOptions{Handler: echoing(t)})
	text, c, err := owner.Grant(within(t), id, GrantOptions{Right: identity.RightDial, To: dialer.principal()})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	k := dialer.keep(t, id, KeepOptions{Capability: envelope})
	ready(t, k, 1)
	for range 100 {
		channel(t, k)
	}
	if !l.permits.has(envelope) || len(l.permits.all) != 1 {
		t.Errorf("%d capabilities are remembered", len(l.permits.all))
	}
	wantCode(t, other.opened(t, id, DialOptions{Capability: envelope}), wire.Forbidden)
	must(t, owner.Revoke(within(t), c.Nonce.String()))
	conn, err := k.Dial(within(t), ChannelOptions{})
	if err == nil {
		err = conn.Opened(within(t))
	}
	wantCode(t, err, wire.Forbidden)
}

func TestStrangersCapabilitiesAreNotRemembered(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{DialPolicy: DialCapability})
	l := n[0].listen(t, id, ListenOptions{})
	foreign := n[1].create(t, CreateOptions{DialPolicy: DialCapability})
	text, _, err := n[1].Grant(within(t), foreign, GrantOptions{Right: identity.RightDial, To: n[1].principal()})
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	wantCode(t, n[1].opened(t, id, DialOptions{Capability: envelope}), wire.Forbidden)
	wantCode(t, n[1].opened(t, id, DialOptions{Capability: []byte("nonsense")}), wire.BadRequest)
	if len(l.permits.all) != 0 {
		t.Errorf("%d capabilities are remembered", len(l.permits.all))
	}
}
