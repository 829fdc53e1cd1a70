package node

import (
	"context"
	"crypto/rand"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/linking"
	"github.com/panpipe-net/panpipe/session/account/pairing"
)

// LinkDevice lets one other device into the account, and returns it. offered is
// called once, with the code and the ticket of which a person carries one to the
// new device; failed with each attempt that was none, by several goroutines at
// once. Errors: NotReady without an account, Forbidden on a device that was
// revoked, Gone when the code was guessed at, Expired after ten minutes.
func (n *Node) LinkDevice(ctx context.Context, offered func(linking.Offer), failed func(linking.Attempt)) (identity.Device, error) {
	a, _ := n.Account()
	if _, _, err := a.Edit(); err != nil {
		return identity.Device{}, err
	}
	where := identity.Ticket{Overlay: n.cfg.Overlay}
	if own := pickAddrs(n.host.Addrs(), ticketAddrs); len(own) > 0 {
		where.Peers = []peer.AddrInfo{{ID: n.ID(), Addrs: own}}
	}
	host, err := linking.Open(ctx, linking.HostConfig{
		Pipes: n.pipes, Me: n.ID(), Random: rand.Reader, Where: where, Add: pairing.AddTo(n.people.keeper, n.act),
	})
	if err != nil {
		return identity.Device{}, err
	}
	offered(host.Offer())
	return host.Wait(ctx, failed)
}

// JoinAccount makes this node a device of the account whose LinkDevice gave this
// code or ticket, under the given name. Errors: BadRequest for a text that is
// neither, Taken where the node has an account, Unbound where nobody waits under
// it, those of pairing's Join.
func (n *Node) JoinAccount(ctx context.Context, invitation, name string) (account.Account, error) {
	i, err := linking.Parse(invitation)
	if err != nil {
		return account.Account{}, err
	}
	now, _ := n.Account()
	if err := n.mayBegin(now.ID()); err != nil {
		return account.Account{}, err
	}
	if err := n.approach(ctx, i); err != nil {
		return account.Account{}, err
	}
	a, err := i.Join(ctx, n.pipes, pairing.Guest{Me: n.ID(), Box: n.people.box, Name: name, Random: rand.Reader})
	if err != nil {
		return account.Account{}, err
	}
	err = n.begin(ctx, a.ID(), func(account.Account) (account.Account, error) { return a, nil })
	return a, err
}

// approach connects to the device that a ticket names: this node may not have
// joined the overlay.
func (n *Node) approach(ctx context.Context, i linking.Invitation) error {
	host, named := i.Host()
	if !named {
		return nil
	}
	if i.Where.Overlay != n.cfg.Overlay {
		return wire.Errorf(wire.BadRequest, "the other device is in the overlay %s, and this node in %s", i.Where.Overlay, n.cfg.Overlay).
			WithNext("start it again with panpipe up --overlay %s", i.Where.Overlay)
	}
	n.Trust(host)
	// Where that fails the overlay may know another way to it.
	_, _, _ = n.reach.Path(ctx, reach.Want{Peer: host.ID, Addrs: host.Addrs, AllowRelay: true, Explicit: true})
	return nil
}
