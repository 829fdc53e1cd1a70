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
	principal  identity.Principal // never zero
	capability []byte
	probe      bool // nothing is to be opened
	watch      bool // with probe: the dialer wants to hear when the answer changes
	hops       int  // gateways before the dialer
}

// parseOpen checks a received Open. from is the peer that the path's handshake
// proved. Errors: BadRequest, Forbidden for a principal that is not the
// peer's, Unsupported for accounts.
func parseOpen(m *pb.Open, from peer.ID) (opening, error) {
	id, err := IDFromBytes(m.GetPipe())
	if err != nil {
		return opening{}, err
	}
	if len(m.GetNonce()) != NonceSize {
		return opening{}, wire.Errorf(wire.BadRequest, "open: nonce of %d bytes, expected %d", len(m.GetNonce()), NonceSize)
	}
	o := opening{
		pipe: id, nonce: identity.Nonce(m.GetNonce()), capability: m.GetCapability(), probe: m.GetProbe(),
		principal: identity.PeerPrincipal(from), watch: m.GetWatch(), hops: int(m.GetHops()),
	}
	if m.GetHops() > MaxHops {
		return opening{}, wire.Errorf(wire.BadRequest, "open: the connection has gone through %d gateways, more than %d: a loop", m.GetHops(), MaxHops)
	}
	if len(m.GetProof()) > 0 {
		return opening{}, wire.Errorf(wire.Unsupported, "open: accounts as principals are not in this version")
	}
	if err := checkPrincipal(m.GetPrincipal(), from); err != nil {
		return opening{}, err
	}
	return o, nil
}

// checkPrincipal judges the principal that a peer names as its own.
func checkPrincipal(b []byte, from peer.ID) error {
	if len(b) == 0 {
		return nil
	}
	p, err := identity.PrincipalFromBytes(b)
	switch {
	case err != nil:
		return err
	case p.Kind() == identity.KindAccount:
		return wire.Errorf(wire.Unsupported, "accounts as principals are not in this version")
	case p != identity.PeerPrincipal(from):
		return wire.Errorf(wire.Forbidden, "node %s names another, %s, as its principal", from, p)
	}
	return nil
}

// gate is what a binder judges dialers by.
type gate struct {
	advertisement Advertisement
	pipe          ID
	allow         map[identity.Principal]bool
	anyone        bool // the list has everybody
	open          func(envelope []byte) (identity.Capability, error)
	revoked       func(identity.Capability) bool
	now           time.Time
}

// admit judges a dialer: nil, Forbidden, Expired or Unsupported. On a listed
// pipe capabilities add to the list, on a capability pipe the list adds to
// capabilities.
func (g gate) admit(o opening, over reach.Transport) error {
	if over != reach.Any && !g.advertisement.Allows(over) {
		return wire.Errorf(wire.Unsupported, "the pipe is not served over transport %s, only over %v", over, g.advertisement.Transports)
	}
	if g.lists(o.principal) {
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

// lists reports that a dialer needs to show nothing.
func (g gate) lists(who identity.Principal) bool {
	return g.anyone || g.advertisement.DialPolicy == DialOpen || g.allow[who] || who == g.advertisement.Owner
}

func (g gate) capability(o opening) error {
	c, err := g.open(o.capability)
	if err != nil {
		return err
	}
	if c.Issuer != g.advertisement.Owner {
		return wire.Errorf(wire.Forbidden, "capability is from %s, but the pipe belongs to %s", c.Issuer, g.advertisement.Owner)
	}
	if err := c.Permit(o.principal, identity.RightDial, g.pipe.Bytes(), g.now); err != nil {
		return err
	}
	if g.revoked(c) {
		return wire.Errorf(wire.Forbidden, "capability is revoked").WithNext("ask the owner for a new one")
	}
	return nil
}
