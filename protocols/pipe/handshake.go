package pipe

import (
	"bytes"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handshake is what both sides of a secure pipe sign, each for its own side,
// so that each proves its principal on this connection and no other.
type Handshake struct {
	Pipe              ID
	Dialer, Listener  peer.ID            // ends of the libp2p connection
	DialerPrincipal   identity.Principal // zero means Dialer itself
	ListenerPrincipal identity.Principal // zero means Listener itself
	DialerNonce       identity.Nonce     // of Open
	ListenerNonce     identity.Nonce     // of OpenReply
}

// side is the end that signs. Its number is part of the signed bytes.
type side uint64

const (
	listenerSide side = 1
	dialerSide   side = 2
)

// SignListener returns the envelope for OpenReply, signed by the listener's
// principal or, for an account, by the node at that end.
func (h Handshake) SignListener(priv crypto.PrivKey) ([]byte, error) {
	return identity.Sign(priv, identity.DomainSecure, h.bytes(listenerSide))
}

// SignDialer returns the envelope for Confirm, signed likewise for the dialer.
func (h Handshake) SignDialer(priv crypto.PrivKey) ([]byte, error) {
	return identity.Sign(priv, identity.DomainSecure, h.bytes(dialerSide))
}

// CheckListener verifies the envelope of OpenReply. For an account the node at
// that end signs; that it is a device of the account is the caller's question.
// The error is Forbidden when the listener's principal did not sign this
// handshake.
func (h Handshake) CheckListener(envelope []byte) error {
	return h.verify(listenerSide, h.listener(), h.Listener, envelope)
}

// CheckDialer verifies the envelope of Confirm. Errors are those of
// CheckListener.
func (h Handshake) CheckDialer(envelope []byte) error {
	return h.verify(dialerSide, h.dialer(), h.Dialer, envelope)
}

func (h Handshake) dialer() identity.Principal {
	if h.DialerPrincipal.IsZero() {
		return identity.PeerPrincipal(h.Dialer)
	}
	return h.DialerPrincipal
}

func (h Handshake) listener() identity.Principal {
	if h.ListenerPrincipal.IsZero() {
		return identity.PeerPrincipal(h.Listener)
	}
	return h.ListenerPrincipal
}

func (h Handshake) bytes(s side) []byte {
	var e wire.Builder
	e.Bytes(1, h.Pipe.Bytes()).Uint(2, uint64(s)).Bytes(3, []byte(h.Dialer)).Bytes(4, []byte(h.Listener))
	e.Bytes(5, h.dialer().Bytes()).Bytes(6, h.listener().Bytes()).Bytes(7, h.DialerNonce[:]).Bytes(8, h.ListenerNonce[:])
	return e.Build()
}

func (h Handshake) verify(s side, who identity.Principal, at peer.ID, envelope []byte) error {
	key := who
	if who.Kind() == identity.KindAccount {
		key = identity.PeerPrincipal(at)
	}
	body, signer, err := identity.Open(identity.DomainSecure, envelope, maxSecure)
	if err != nil {
		return wire.Errorf(wire.Forbidden, "secure pipe: proof of %s: %w", who, err)
	}
	if !key.Matches(signer) || !bytes.Equal(body, h.bytes(s)) {
		return wire.Errorf(wire.Forbidden, "secure pipe: the proof is not that of %s on this connection", who)
	}
	return nil
}
