package pipe

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Binding says that a binder serves a pipe at these endpoints for a while. A
// withdrawn one, a tombstone, says that it no longer does.
type Binding struct {
	Pipe          ID
	Advertisement Advertisement
	Binder        identity.Principal // a node: the signer
	Seq           uint64             // orders one binder's records of the pipe; 1 to MaxNumber
	Issued        time.Time          // Unix milliseconds
	Life          time.Duration      // whole seconds, MinLife to MaxLife
	Endpoints     []ma.Multiaddr     // at most MaxEndpoints, without /p2p suffix; none in a tombstone
	Capability    []byte             // envelope of the owner's bind right; empty if the binder is the owner
	Term          uint64             // orders binders of an exclusive pipe, from 1; the capability's if there is one
	Proof         []byte             // device log of the account that owns the pipe, if the binder is its device; at most identity.MaxProof
	Withdrawn     bool

	// Set when it has been verified.
	grant *identity.Capability // what Capability says
	speaker
}

// Sign returns the envelope, signed by the binder's key. Parts of a millisecond
// of Issued and of a second of Life are cut off. Errors are those of
// OpenBinding, which nobody else could open it with either.
func (b Binding) Sign(priv crypto.PrivKey) ([]byte, error) {
	envelope, _, err := b.sign(priv, identity.ParseLog)
	return envelope, err
}

// sign also returns the binding as readers have it.
func (b Binding) sign(priv crypto.PrivKey, read identity.LogReader) ([]byte, Binding, error) {
	envelope, err := identity.Sign(priv, identity.DomainBinding, b.Bytes())
	if err != nil {
		return nil, Binding{}, err
	}
	opened, err := openBinding(envelope, read)
	if err != nil {
		return nil, Binding{}, err
	}
	return envelope, opened, nil
}

// OpenBinding reads an envelope and checks everything but the clock: format,
// signature, that the advertisement is the pipe's, and that the binder is the
// owner, or a device of the account that is, or holds the owner's capability.
// Of an account it goes by the device log that the record shows. Errors are
// BadRequest for what is malformed or forged, TooLarge above a cap, Forbidden
// where the binder has no right, Expired where its right had ended when it
// signed, and Unsupported for later versions.
func OpenBinding(envelope []byte) (Binding, error) { return openBinding(envelope, identity.ParseLog) }

func openBinding(envelope []byte, read identity.LogReader) (Binding, error) {
	body, signer, err := identity.Open(identity.DomainBinding, envelope, MaxBinding)
	if err != nil {
		return Binding{}, err
	}
	b, err := ParseBinding(body)
	if err != nil {
		return Binding{}, err
	}
	if !b.Binder.Matches(signer) {
		return Binding{}, wire.Errorf(wire.BadRequest, "binding: signed by another than its binder %s", b.Binder)
	}
	if err := b.authorise(signer, read); err != nil {
		return Binding{}, wire.Errorf(wire.CodeOf(err), "binding of %s by %s: %w", b.Pipe, b.Binder, err)
	}
	return b, nil
}

// authorise checks that the binder may bind, by its own clock, and keeps what
// says so.
func (b *Binding) authorise(signer crypto.PubKey, read identity.LogReader) (err error) {
	owner := b.Advertisement.Owner
	ofAccount := owner.Kind() == identity.KindAccount
	switch {
	case len(b.Proof) > 0 && (!ofAccount || len(b.Capability) > 0):
		return wire.Errorf(wire.BadRequest, "a proof goes with a device of the account that owns the pipe, and with nothing else")
	case len(b.Proof) > 0:
		b.speaker, err = openSpeaker(b.Proof, owner, signer, read)
		return err
	case b.Binder == owner && len(b.Capability) > 0:
		return wire.Errorf(wire.BadRequest, "the owner itself needs no capability")
	case b.Binder == owner:
		return nil
	case len(b.Capability) == 0 && ofAccount:
		return wire.Errorf(wire.Forbidden, "the binder shows neither the device log of the owner nor a capability")
	case len(b.Capability) == 0:
		return wire.Errorf(wire.Forbidden, "the binder is not the owner and shows no capability")
	}
	return b.authoriseByGrant(read)
}

func (b *Binding) authoriseByGrant(read identity.LogReader) error {
	owner := b.Advertisement.Owner
	c, err := read.OpenCapability(b.Capability)
	if err != nil {
		return err
	}
	if c.Issuer != owner {
		return wire.Errorf(wire.Forbidden, "the capability is from %s, not from the owner %s", c.Issuer, owner)
	}
	if err := c.Permit(b.Binder, identity.RightBind, b.Pipe.Bytes(), b.Issued); err != nil {
		return err
	}
	if c.Term != b.Term {
		return wire.Errorf(wire.Forbidden, "term %d, the capability is for term %d", b.Term, c.Term)
	}
	b.grant, b.speaker = &c, speakerOf(c)
	return nil
}

// Grant returns the capability that the binder binds by, and false for the
// owner. Only a binding from OpenBinding has it.
func (b Binding) Grant() (identity.Capability, bool) {
	if b.grant == nil {
		return identity.Capability{}, false
	}
	return *b.grant, true
}

// Expires is issued + life, and not later than the capability's expiry.
func (b Binding) Expires() time.Time {
	end := b.Issued.Add(b.Life)
	if b.grant != nil && b.grant.Expiry.Before(end) {
		return b.grant.Expiry
	}
	return end
}

// InTime says whether a reader may still believe the record, tombstones too:
// Expired from issued + life + Skew on or when the capability has expired,
// BadRequest if issued more than Skew ahead of now.
func (b Binding) InTime(now time.Time) error {
	if ahead := b.Issued.Sub(now); ahead > Skew {
		return wire.Errorf(wire.BadRequest, "binding: issued %s ahead of this node's clock, at most %s", ahead.Round(time.Second), Skew).
			WithNext("check the clocks of both machines")
	}
	if b.grant != nil && !now.Before(b.grant.Expiry) {
		return wire.Errorf(wire.Expired, "binding: its capability expired at %s", b.grant.Expiry.Format(time.RFC3339))
	}
	if end := b.Issued.Add(b.Life + Skew); !now.Before(end) {
		return wire.Errorf(wire.Expired, "binding: expired at %s", b.Expires().Format(time.RFC3339))
	}
	return nil
}

// LiveAt reports whether the pipe is served by this binding: InTime and not
// withdrawn.
func (b Binding) LiveAt(now time.Time) bool { return !b.Withdrawn && b.InTime(now) == nil }

// Offers reports whether an endpoint is on the transport; reach.Any asks
// whether there is an endpoint at all.
func (b Binding) Offers(t reach.Transport) bool {
	return slices.ContainsFunc(b.Endpoints, func(a ma.Multiaddr) bool {
		return t == reach.Any || reach.TransportOf(a) == t
	})
}
