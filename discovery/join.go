package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// join dials the nodes that are due, and returns when more will be.
func (l *loop) join(ctx context.Context, now time.Time) (again time.Time) {
	connected := func(p peer.ID) bool { return l.d.cfg.Host.Network().Connectedness(p) == network.Connected }
	dial, again := l.book.due(now, l.d.servers.count(), connected)
	for _, in := range dial {
		l.wg.Go(func() {
			l.dials <- dialled{in.ID, l.d.dial(ctx, in)}
		})
	}
	if again.IsZero() {
		return now.Add(time.Minute)
	}
	return again
}

// dial connects to a node to join through. Earlier failures do not delay it.
func (d *Discovery) dial(ctx context.Context, in peer.AddrInfo) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.JoinTimeout,
		wire.Errorf(wire.Timeout, "no connection within %s", d.cfg.JoinTimeout))
	defer cancel()
	err := d.cfg.dial(ctx, in)
	if err != nil && ctx.Err() != nil && !errors.As(err, new(*reach.DialError)) {
		return context.Cause(ctx)
	}
	return err
}

func (l *loop) dialDone(r dialled) {
	l.book.done(r.id, r.err, time.Now())
	if r.err != nil {
		l.d.cfg.Log.Debug("join", "peer", r.id, "error", r.err)
		return
	}
	l.update(r.id, time.Now())
}

// heard takes in a node that mDNS has heard.
func (l *loop) heard(in peer.AddrInfo) {
	if addrs := cleanAddrs(in.ID, in.Addrs); in.ID != l.d.self && validID(in.ID) && len(addrs) > 0 {
		l.book.add(peer.AddrInfo{ID: in.ID, Addrs: addrs}, fromLAN)
		l.d.cfg.Gate.Trust(reach.ByLAN, in.ID, addrs...)
	}
}

// joinError says why a named node is no way into the overlay now, nil if it is
// one or is being tried for the first time.
func (l *loop) joinError(e *entry) error {
	h := l.d.cfg.Host
	if h.Network().Connectedness(e.ID) != network.Connected {
		return e.err
	}
	protocols, err := h.Peerstore().GetProtocols(e.ID)
	if err != nil || len(protocols) == 0 || l.d.servers.has(e.ID) {
		return nil
	}
	prefix := "/" + l.d.cfg.Overlay + "/"
	for _, p := range protocols {
		if strings.HasPrefix(string(p), prefix) {
			return wire.Errorf(wire.Unsupported, "connected, but the node is only a client of overlay %q", l.d.cfg.Overlay).
				WithNext("join through a node that serves the overlay: at this one, set role to server if others can reach it")
		}
	}
	return wire.Errorf(wire.Unsupported, "connected, but the node is not in overlay %q", l.d.cfg.Overlay).
		WithNext("give both nodes the same overlay: setting overlay, flag --overlay")
}

// attemptError picks from a DialError what one address failed with.
func attemptError(err error, addr ma.Multiaddr) error {
	var failed *reach.DialError
	if errors.As(err, &failed) {
		for _, a := range failed.Attempts {
			if a.Err != nil && a.Addr.Equal(addr) {
				return a.Err
			}
		}
	}
	return err
}

// advised adds what to do where err does not say it itself.
func advised(err error) error {
	if wire.NextOf(err) != "" && !errors.As(err, new(*reach.DialError)) {
		return err
	}
	return wire.Errorf(wire.CodeOf(err), "%w", err).WithNext("%s", adviceFor(err))
}

func adviceFor(err error) string {
	var dial *net.OpError
	switch {
	case errors.As(err, new(sec.ErrPeerIDMismatch)):
		return "its key has changed, or the address is another's now: take its new ticket (panpipe ticket, there)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "see that the node runs there, and on this port; trying goes on"
	case wire.CodeOf(err) == wire.Timeout:
		return "see that the machine is on, and that its firewall and router let this port through; trying goes on"
	case errors.As(err, new(*net.DNSError)):
		return "correct the name, or see that this machine can resolve it"
	case wire.CodeOf(err) == wire.Unreachable && !errors.As(err, new(*reach.DialError)) && (!errors.As(err, &dial) || dial.Op != "dial"):
		return "what answers there does not speak libp2p as a node does: correct the port and the transport of the address"
	}
	return "check that the node there runs and that its port is open; trying goes on"
}

// notReady says what keeps a node from joining.
func notReady(s State) error {
	addrs := make([]string, 0, len(s.JoinErrors))
	for a := range s.JoinErrors {
		addrs = append(addrs, a)
	}
	if len(addrs) == 0 {
		return wire.Errorf(wire.NotReady, "not joined yet: no server of the overlay has answered").
			WithNext("wait, or give more nodes with --join")
	}
	slices.Sort(addrs)
	a := addrs[0]
	if next := wire.NextOf(s.JoinErrors[a]); next != "" {
		return wire.Errorf(wire.NotReady, "not joined: %s: %w", a, s.JoinErrors[a]).WithNext("%s", next)
	}
	return wire.Errorf(wire.NotReady, "not joined: %s: %w", a, s.JoinErrors[a]).
		WithNext("check that the node behind the --join address runs and can be reached; trying goes on")
}
