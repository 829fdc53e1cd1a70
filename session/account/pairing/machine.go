package pairing

import (
	"io"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account/cpace"
)

// guest is the new device's side of one attempt. It is a value; hello begins
// it, and each message of the host takes it one step on:
//
//	hello ▶ [answer] ▶ claim ▶ [grant] ▶ done
//
// A refusal ends it in any state, and so does whatever else comes.
type guest struct {
	offer Offer
	ends  ends
	run   *cpace.Run
	keys  keys
	waits kind // what the host has to say next
}

// hello begins an attempt.
func (g guest) hello(random io.Reader) (guest, message, error) {
	m := message{kind: kindHello, mailbox: g.offer.Mailbox}
	if _, err := io.ReadFull(random, m.session[:]); err != nil {
		return g, message{}, wire.Errorf(wire.Internal, "link: no random bytes: %w", err)
	}
	run, err := cpace.Start(g.offer.input(g.ends, m.session), random)
	if err != nil {
		return g, message{}, err
	}
	g.run, g.waits, m.share = run, kindAnswer, run.Share()
	return g, m, nil
}

// answer takes the host's share and claims to be this device.
func (g guest) answer(m message, box identity.BoxKey, name string) (guest, message, error) {
	if err := expect(m, kindAnswer, g.waits); err != nil {
		return g, message{}, err
	}
	isk, err := g.run.Initiator(nil, m.share, nil)
	if err != nil {
		return g, message{}, err
	}
	if g.keys, err = keysOf(isk); err != nil {
		return g, message{}, wire.Errorf(wire.Internal, "link: %w", err)
	}
	claim := message{kind: kindClaim, box: box, name: name}
	claim.proof = g.keys.claimProof(claim)
	g.waits = kindGrant
	return g, claim, nil
}

// grant takes the account, from a host that has proven to know the secret.
func (g guest) grant(m message) (bundle []byte, err error) {
	if err := expect(m, kindGrant, g.waits); err != nil {
		return nil, err
	}
	if !same(m.proof, g.keys.grantProof(m)) {
		return nil, wire.Errorf(wire.Forbidden, "the other side does not know the code: it is not your device, and nothing was taken from it").
			WithNext("make a new code")
	}
	return m.bundle, nil
}

// host is the old device's side of one attempt.
//
//	[hello] ▶ answer ▶ [claim] ▶ grant ▶ [done]
type host struct {
	offer Offer
	ends  ends
	keys  keys
	waits kind // what the guest has to say next, 0 at first
}

// hello takes a guest's share, whose mailbox the desk has admitted, and answers.
func (h host) hello(m message, random io.Reader) (host, message, error) {
	run, err := cpace.Start(h.offer.input(h.ends, m.session), random)
	if err != nil {
		return h, message{}, err
	}
	isk, err := run.Responder(nil, m.share, nil)
	if err != nil {
		return h, message{}, err
	}
	if h.keys, err = keysOf(isk); err != nil {
		return h, message{}, wire.Errorf(wire.Internal, "link: %w", err)
	}
	h.waits = kindClaim
	return h, message{kind: kindAnswer, share: run.Share()}, nil
}

// claim says which device the guest is, and whether its proof is right, which
// the desk has to count.
func (h host) claim(m message) (device identity.Device, right bool, err error) {
	if err := expect(m, kindClaim, h.waits); err != nil {
		return identity.Device{}, false, err
	}
	return identity.Device{ID: h.ends.guest, Box: m.box}, same(m.proof, h.keys.claimProof(m)), nil
}

// grant hands the account over.
func (h host) grant(bundle []byte) message {
	m := message{kind: kindGrant, bundle: bundle}
	m.proof = h.keys.grantProof(m)
	return m
}

// expect refuses a message out of turn, and tells what a refusal says.
func expect(m message, want, waits kind) error {
	if m.kind == kindRefusal {
		return refused(m)
	}
	if m.kind != want || waits != want {
		return wire.Errorf(wire.BadRequest, "link: message of kind %d out of turn", m.kind)
	}
	return nil
}

// refused is the host's refusal as an error. Its text is the host's, so it is
// quoted.
func refused(m message) error {
	err := wire.Errorf(m.code, "the other device says: %q", m.text)
	switch m.code {
	case wire.Forbidden:
		return err.WithNext("check the two words of the code; %d tries are left", m.left)
	case wire.Unknown:
		return err.WithNext("check the first part of the code")
	case wire.OK:
		return wire.Errorf(wire.BadRequest, "link: a refusal without a reason")
	}
	return err.WithNext("make a new code on the other device")
}
