package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// opening is what a dialer says in Open, with its fields checked.
type opening struct {
	pipe       ID
	nonce      identity.Nonce
	peer       identity.Principal // that the path's handshake proved
	principal  identity.Principal // whom it speaks for: peer, or an account; never zero
	speaker                       // of an account
	capability []byte
	probe      bool // nothing is to be opened
	watch      bool // with probe: the dialer wants to hear when the answer changes
	hops       int  // gateways before the dialer
}

// parseOpen checks a received Open. from is the peer that the path's handshake
// proved. Errors: BadRequest, Forbidden for a principal that the peer does not
// speak for, and those of the reader of its device log.
func parseOpen(m *pb.Open, from peer.ID, read identity.LogReader) (opening, error) {
	id, err := IDFromBytes(m.GetPipe())
	if err != nil {
		return opening{}, err
	}
	if len(m.GetNonce()) != NonceSize {
		return opening{}, wire.Errorf(wire.BadRequest, "open: nonce of %d bytes, expected %d", len(m.GetNonce()), NonceSize)
	}
	o := opening{
		pipe: id, nonce: identity.Nonce(m.GetNonce()), capability: m.GetCapability(), probe: m.GetProbe(),
		peer: identity.PeerPrincipal(from), watch: m.GetWatch(), hops: int(m.GetHops()),
	}
	if m.GetHops() > MaxHops {
		return opening{}, wire.Errorf(wire.BadRequest, "open: the connection has gone through %d gateways, more than %d: a loop", m.GetHops(), MaxHops)
	}
	o.principal, o.speaker, err = openPrincipal(m.GetPrincipal(), m.GetProof(), from, read)
	return o, err
}

// openPrincipal judges whom a peer names as the one it speaks for: itself, which
// is meant if it names nobody, or an account of which it is a device by the
// log that it shows.
func openPrincipal(named, proof []byte, from peer.ID, read identity.LogReader) (identity.Principal, speaker, error) {
	self := identity.PeerPrincipal(from)
	p, err := self, error(nil)
	if len(named) > 0 {
		p, err = identity.PrincipalFromBytes(named)
	}
	switch {
	case err != nil:
		return p, speaker{}, err
	case (len(proof) > 0) != (p.Kind() == identity.KindAccount):
		return p, speaker{}, wire.Errorf(wire.BadRequest, "a proof goes with an account as principal, and with nothing else")
	case p == self:
		return p, speaker{}, nil
	case p.Kind() != identity.KindAccount:
		return p, speaker{}, wire.Errorf(wire.Forbidden, "node %s names another, %s, as its principal", from, p)
	}
	log, err := read(proof)
	switch {
	case err != nil:
		return p, speaker{}, err
	case log.Account() != p || !log.Valid(from):
		return p, speaker{}, wire.Errorf(wire.Forbidden, "node %s is no device of %s by the log it shows", from, p)
	}
	return p, speaker{from, log}, nil
}

// gate is what a binder judges dialers by.
type gate struct {
	advertisement Advertisement
	pipe          ID
	allow         map[identity.Principal]bool
	anyone        bool // the list has everybody
	open          func(envelope []byte) (identity.Capability, error)
	revoked       func(identity.Capability) bool
	silenced      func(speaker) bool // a device speaks for its account no more
	now           time.Time
}

// admit judges a dialer: nil, Forbidden, Expired or Unsupported. On a listed
// pipe capabilities add to the list, on a capability pipe the list adds to
// capabilities.
func (g gate) admit(o opening, over reach.Transport) error {
	if over != reach.Any && !g.advertisement.Allows(over) {
		return wire.Errorf(wire.Unsupported, "the pipe is not served over transport %s, only over %v", over, g.advertisement.Transports)
	}
	if o.log != nil && g.silenced(o.speaker) {
		return silenced(o.speaker)
	}
	if g.lists(o) {
		return nil
	}
	if len(o.capability) == 0 {
		if g.advertisement.DialPolicy == DialListed {
			return wire.Errorf(wire.Forbidden, "%s is not on the binder's list", o.principal)
		}
		return wire.Errorf(wire.Forbidden, "the pipe wants a capability to dial")
	}
	return g.capability(o)
}

// lists reports that a dialer needs to show nothing. Who speaks for an account
// is the node that it is as well.
func (g gate) lists(o opening) bool {
	owner := g.advertisement.Owner
	return g.anyone || g.advertisement.DialPolicy == DialOpen ||
		g.allow[o.principal] || g.allow[o.peer] || o.principal == owner || o.peer == owner
}

func (g gate) capability(o opening) error {
	c, err := g.open(o.capability)
	if err != nil {
		return err
	}
	if c.Issuer != g.advertisement.Owner {
		return wire.Errorf(wire.Forbidden, "capability is from %s, but the pipe belongs to %s", c.Issuer, g.advertisement.Owner)
	}
	subject := o.principal
	if c.Subject == o.peer {
		subject = o.peer
	}
	if err := c.Permit(subject, identity.RightDial, g.pipe.Bytes(), g.now); err != nil {
		return err
	}
	if g.revoked(c) {
		return wire.Errorf(wire.Forbidden, "capability is revoked").WithNext("ask the owner for a new one")
	}
	return nil
}
