package pipe

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func handshakeOf(dialer, listener actor) Handshake {
	return Handshake{
		Pipe: IDOf([]byte("x")), Dialer: dialer.id, Listener: listener.id,
		DialerNonce: identity.Nonce{1}, ListenerNonce: identity.Nonce{2},
	}
}

func TestHandshakeProvesBothSides(t *testing.T) {
	dialer, listener := newActor(t, 1), newActor(t, 2)
	h := handshakeOf(dialer, listener)
	byListener, err := h.SignListener(listener.key)
	must(t, err)
	byDialer, err := h.SignDialer(dialer.key)
	must(t, err)
	must(t, h.CheckListener(byListener))
	must(t, h.CheckDialer(byDialer))

	named := h
	named.DialerPrincipal, named.ListenerPrincipal = dialer.who, listener.who
	must(t, named.CheckDialer(byDialer))
}

func TestHandshakeOfAnotherConnectionIsForbidden(t *testing.T) {
	dialer, listener, third := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	h := handshakeOf(dialer, listener)
	envelope, err := h.SignListener(listener.key)
	must(t, err)
	wantCode(t, h.CheckDialer(envelope), wire.Forbidden)
	wantCode(t, h.CheckListener(nil), wire.Forbidden)
	foreign, err := h.SignListener(third.key)
	must(t, err)
	wantCode(t, h.CheckListener(foreign), wire.Forbidden)
	for name, change := range map[string]func(*Handshake){
		"pipe":           func(h *Handshake) { h.Pipe = IDOf([]byte("y")) },
		"dialer":         func(h *Handshake) { h.Dialer = third.id },
		"listener":       func(h *Handshake) { h.Listener = third.id },
		"principal":      func(h *Handshake) { h.DialerPrincipal = third.who },
		"dialer nonce":   func(h *Handshake) { h.DialerNonce[15]++ },
		"listener nonce": func(h *Handshake) { h.ListenerNonce[15]++ },
	} {
		other := h
		change(&other)
		if err := other.CheckListener(envelope); wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestAccountIsProvenByTheNodeAtThatEndAlone(t *testing.T) {
	dialer, listener, third := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	account, err := identity.AccountPrincipal(third.key.GetPublic())
	must(t, err)
	h := handshakeOf(dialer, listener)
	plain, err := h.SignListener(listener.key)
	must(t, err)
	h.ListenerPrincipal = account
	envelope, err := h.SignListener(listener.key)
	must(t, err)
	must(t, h.CheckListener(envelope))
	wantCode(t, h.CheckListener(plain), wire.Forbidden)
	for name, key := range map[string]actor{"the root": third, "the other end": dialer} {
		foreign, err := h.SignListener(key.key)
		must(t, err)
		if err := h.CheckListener(foreign); wire.CodeOf(err) != wire.Forbidden {
			t.Errorf("signed by %s: %v", name, err)
		}
	}
}
