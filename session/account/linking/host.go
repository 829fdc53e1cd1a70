package linking

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/pairing"
)

// Pipes carry the attempts. *pipe.Service does.
type Pipes interface {
	Listen(ctx context.Context, id pipe.ID, o pipe.ListenOptions) (*pipe.Listener, error)
	Dial(ctx context.Context, id pipe.ID, o pipe.DialOptions) (*pipe.Conn, error)
	Resolve(ctx context.Context, id pipe.ID, o pipe.ResolveOptions) (*pipe.Resolution, error)
}

// HostConfig is what the old device needs. All is needed.
type HostConfig struct {
	Pipes  Pipes
	Me     peer.ID
	Random io.Reader
	Where  identity.Ticket // the overlay, and this node alone with addresses
	// Add takes a device into the account, as pairing.AddTo does.
	Add func(ctx context.Context, d identity.Device, name string) (account.Bundle, error)
}

// Offer is what a person carries to the new device: either of the two.
type Offer struct {
	Code    string // to be typed: k7qm-2fxd-anchor-velvet
	Ticket  string // to be copied, or scanned; empty where this node has no address to name
	Expires time.Time
}

// Attempt is a try of some device that has failed.
type Attempt struct {
	Device peer.ID
	Err    error
}

// Host is the old device's side of one linking.
type Host struct {
	cfg   HostConfig
	offer Offer
	desks []desk

	mu     sync.Mutex
	winner peer.ID // that was added
}

// desk is where one of the two, code or ticket, leads to.
type desk struct {
	pairing  *pairing.Host
	listener *pipe.Listener
}

// Open makes a code and a ticket and binds their mailboxes. ctx bounds that
// alone. The Host is to be closed. Errors are those of binding a pipe.
func Open(ctx context.Context, cfg HostConfig) (*Host, error) {
	code, err := pairing.NewCode(cfg.Random)
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, offer: Offer{Code: code.String(), Expires: time.Now().Add(pairing.Life)}}
	offers := []pairing.Offer{code.Offer()}
	if len(cfg.Where.Peers) > 0 {
		ticket, err := pairing.NewTicket(cfg.Where, cfg.Random)
		if err != nil {
			return nil, err
		}
		h.offer.Ticket = ticket.String()
		offers = append(offers, ticket.Offer())
	}
	for _, o := range offers {
		if err := h.bind(ctx, o); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// bind opens the desk of an offer.
func (h *Host) bind(ctx context.Context, o pairing.Offer) error {
	m, err := mailboxOf(o.Mailbox)
	if err != nil {
		return err
	}
	right, err := m.bindingBy(h.cfg.Me, h.offer.Expires)
	if err != nil {
		return err
	}
	l, err := h.cfg.Pipes.Listen(ctx, m.advertisement.ID(), pipe.ListenOptions{
		Advertisement: &m.advertisement, Capability: right, Life: pairing.Life,
	})
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "the new device could not find this one: %w", err).WithNext("%s", wire.NextOf(err))
	}
	h.desks = append(h.desks, desk{listener: l, pairing: pairing.NewHost(pairing.HostConfig{
		Offer: o, Me: h.cfg.Me, Random: h.cfg.Random, Add: h.add,
	})})
	return nil
}

// Offer returns what the person is to carry over.
func (h *Host) Offer() Offer { return h.offer }

// Wait returns the device that was linked, when the mailboxes are withdrawn.
// Errors are those of pairing's Wait, of the first desk that is over; each attempt
// that fails until then is told to tell, by several goroutines at once. It is
// called once.
func (h *Host) Wait(ctx context.Context, tell func(Attempt)) (identity.Device, error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer h.Close()
	defer cancel()
	type end struct {
		device identity.Device
		err    error
	}
	ends := make(chan end, len(h.desks))
	for _, d := range h.desks {
		all.Go(func() { d.serve(ctx, tell) })
		all.Go(func() {
			device, err := d.pairing.Wait(ctx)
			ends <- end{device, err}
		})
	}
	first := <-ends
	if first.err == nil {
		return first.device, nil
	}
	cancel() // the other desk may have added one, whose done was still on its way
	for range len(h.desks) - 1 {
		if other := <-ends; other.err == nil {
			return other.device, nil
		}
	}
	return identity.Device{}, first.err
}

// serve lets devices try until the listener ends.
func (d desk) serve(ctx context.Context, tell func(Attempt)) {
	var trying sync.WaitGroup
	defer trying.Wait()
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		trying.Go(func() {
			far := remote(conn)
			if err := d.pairing.Serve(ctx, conn, far); err != nil && ctx.Err() == nil {
				tell(Attempt{Device: far, Err: err})
			}
		})
	}
}

// remote is the peer that libp2p has proven to be at the far end.
func remote(c net.Conn) peer.ID {
	if p, ok := c.(interface{ RemotePeer() peer.ID }); ok {
		return p.RemotePeer()
	}
	return ""
}

// add takes in the first device, at whichever desk it is, and no other.
func (h *Host) add(ctx context.Context, d identity.Device, name string) (account.Bundle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.winner != "" && h.winner != d.ID {
		return account.Bundle{}, wire.Errorf(wire.Taken, "another device was linked just now").WithNext("make a new code on the other device")
	}
	b, err := h.cfg.Add(ctx, d, name)
	if err == nil {
		h.winner = d.ID
	}
	return b, err
}

// Close withdraws the mailboxes, all at once. It may be called again when it has
// returned.
func (h *Host) Close() error {
	var closing sync.WaitGroup
	errs := make([]error, len(h.desks))
	for i, d := range h.desks {
		closing.Go(func() { errs[i] = d.listener.Close() })
	}
	closing.Wait()
	return errors.Join(errs...)
}
