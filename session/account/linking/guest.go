package linking

import (
	"context"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/pairing"
)

// findTime is how long a new device looks for the old one.
const findTime = 20 * time.Second

// Invitation is a code or ticket that a person has typed, scanned or copied.
type Invitation struct {
	Offer pairing.Offer
	// Where is the overlay and the old device's addresses; zero for a code.
	Where identity.Ticket
}

// Parse reads a code or a ticket. Errors are BadRequest and say what to look at,
// those of a ticket of a newer version Unsupported.
func Parse(text string) (Invitation, error) {
	text = strings.TrimSpace(text)
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "link:"):
		t, err := pairing.ParseTicket(text)
		if err != nil {
			return Invitation{}, err
		}
		return Invitation{Offer: t.Offer(), Where: t.Host}, nil
	case strings.HasPrefix(lower, "ticket:"):
		return Invitation{}, wire.Errorf(wire.BadRequest, "this is a ticket to join an overlay, not one to link a device").
			WithNext("use it with panpipe up --join; run panpipe account link on the other device for a link ticket")
	}
	c, err := pairing.ParseCode(text)
	if err != nil {
		return Invitation{}, err
	}
	return Invitation{Offer: c.Offer()}, nil
}

// Host is the old device, if the invitation names it.
func (i Invitation) Host() (peer.AddrInfo, bool) {
	if len(i.Where.Peers) == 0 {
		return peer.AddrInfo{}, false
	}
	return i.Where.Peers[0], true
}

// Join links this device in one attempt: it finds the old device and runs the
// guest, whose offer is the invitation's. Errors are those of pairing's Join, and
// Unbound where nobody waits under this code.
func (i Invitation) Join(ctx context.Context, pipes Pipes, g pairing.Guest) (account.Account, error) {
	m, err := mailboxOf(i.Offer.Mailbox)
	if err != nil {
		return account.Account{}, err
	}
	g.Offer = i.Offer
	conn, err := i.reach(ctx, pipes, m.advertisement.ID())
	if err != nil {
		return account.Account{}, err
	}
	far := conn.RemotePeer()
	if host, named := i.Host(); named && host.ID != far {
		conn.Reset()
		return account.Account{}, wire.Errorf(wire.Forbidden, "%s answers in the place of the other device", far).
			WithNext("make a new code on the other device")
	}
	return g.Join(ctx, conn, far)
}

// reach returns a connection that the far side has accepted, so that its peer is
// the one at which it stays.
func (i Invitation) reach(ctx context.Context, pipes Pipes, id pipe.ID) (*pipe.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	if host, named := i.Host(); named {
		// Its own word is there before this node has joined an overlay. Without it
		// the overlay is asked.
		_, _ = pipes.Resolve(ctx, id, pipe.ResolveOptions{Only: []peer.ID{host.ID}})
	}
	conn, err := pipes.Dial(ctx, id, pipe.DialOptions{Wait: findTime / 2})
	if err != nil {
		return nil, notFound(err)
	}
	if err := conn.Opened(ctx); err != nil {
		conn.Reset()
		return nil, notFound(err)
	}
	return conn, nil
}

// notFound says in a person's words that nobody is there.
func notFound(err error) error {
	code := wire.CodeOf(err)
	switch code {
	case wire.Unbound, wire.Unknown, wire.Timeout:
		return wire.Errorf(wire.Unbound, "no device waits under this code").
			WithNext("check its first part; on the other device panpipe account link must still be running, in the same overlay, and no longer than ten minutes")
	}
	return wire.Errorf(code, "the other device cannot be reached: %w", err).WithNext("%s", wire.NextOf(err))
}
