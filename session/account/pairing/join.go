package pairing

import (
	"bufio"
	"context"
	"io"
	"net"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// Guest is what the new device needs to be linked.
type Guest struct {
	Offer  Offer
	Me     peer.ID
	Box    account.Box
	Name   string // what it calls itself
	Random io.Reader
}

// Join is one attempt of the guest on conn, whose far end the connection has
// proven to be far. It closes conn. Errors: Unknown for a wrong mailbox name,
// Forbidden for wrong words or an impostor, else what the host says; Closed or
// Timeout where the connection ends, and the attempt may be made again. Each
// attempt gives whoever is at the far end one guess, so nobody but a person
// who has typed the code anew makes a fourth.
func (g Guest) Join(ctx context.Context, conn net.Conn, far peer.ID) (account.Account, error) {
	defer bound(ctx, conn)()
	bundle, err := g.attempt(conn, far)
	if err != nil {
		return account.Account{}, told(ctx, err)
	}
	parsed, err := account.ParseBundle(bundle)
	if err != nil {
		return account.Account{}, err
	}
	a, err := account.Linked(g.Me, g.Box, parsed)
	if err != nil {
		return account.Account{}, err
	}
	// The device is in the account, whether or not the host hears of it.
	_ = send(conn, message{kind: kindDone})
	return a, nil
}

func (g Guest) attempt(conn net.Conn, far peer.ID) ([]byte, error) {
	side := guest{offer: g.Offer, ends: ends{guest: g.Me, host: far}}
	r := bufio.NewReader(conn)
	side, m, err := side.hello(g.Random)
	if err != nil {
		return nil, err
	}
	if err := send(conn, m); err != nil {
		return nil, err
	}
	if m, err = receive(r, maxSmall); err != nil {
		return nil, err
	}
	side, claim, err := side.answer(m, g.Box.Public(), g.Name)
	if err != nil {
		return nil, err
	}
	if err := send(conn, claim); err != nil {
		return nil, err
	}
	if m, err = receive(r, maxGrant); err != nil {
		return nil, err
	}
	return side.grant(m)
}

// AddTo is a HostConfig.Add that adds devices to the keeper's account. A device
// that comes again with another box key, since it lost what it had, is revoked
// and added anew.
func AddTo(k *account.Keeper, act func() account.Act) func(context.Context, identity.Device, string) (account.Bundle, error) {
	return func(ctx context.Context, d identity.Device, name string) (account.Bundle, error) {
		by := act()
		next, err := k.Update(ctx, func(a account.Account) (account.Account, error) {
			if a.IsZero() {
				return a, wire.Errorf(wire.NotReady, "this device has no account")
			}
			known, listed := a.Log().Device(d.ID)
			if listed && known == d {
				return a, nil
			}
			if listed {
				var err error
				if a, err = a.Revoke(by, d.ID); err != nil {
					return a, err
				}
			}
			return a.AddDevice(by, d, name)
		})
		if err != nil {
			return account.Bundle{}, err
		}
		return next.Bundle(by)
	}
}
