package roster

import (
	"context"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// conn is a link to another device; *pipe.Conn is one.
type conn interface {
	net.Conn
	RemotePeer() peer.ID
	Direct() bool
	CloseWrite() error
	ResetWith(code wire.Code, reason string)
}

// network is the pipe service as a roster uses it.
type network interface {
	// look returns who serves a presence pipe.
	look(ctx context.Context, at pipe.Advertisement, fresh bool) ([]sighting, error)
	// dial connects to a device on a presence pipe.
	dial(ctx context.Context, at pipe.Advertisement, device peer.ID, grace time.Duration) (conn, error)
	// dialContact connects to any device on an account's contact pipe.
	dialContact(ctx context.Context, id identity.Principal) (conn, error)
	// bindPresence serves a presence pipe until done is called or it is lost.
	bindPresence(ctx context.Context, p account.Presence, handle func(conn)) (bound, error)
	// bindContact serves this account's contact pipe.
	bindContact(ctx context.Context, handle func(conn)) (bound, error)
	// showLog tells of a log that won: what revoked devices have bound is void.
	showLog(log *identity.DeviceLog)
}

// bound is a pipe that is served.
type bound interface {
	// Accept returns when the pipe is not served any more, and why.
	Accept() (net.Conn, error)
	Close() error
}

// bindFor is how long the capability lasts by which a device serves the presence
// pipe. It is renewed by binding anew.
const bindFor = 30 * 24 * time.Hour

// presencePipe describes the presence pipe that a profile's presence makes.
func presencePipe(p account.Presence) (pipe.Advertisement, error) {
	key, err := p.Key()
	if err != nil {
		return pipe.Advertisement{}, wire.Errorf(wire.Internal, "presence key: %w", err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return pipe.Advertisement{}, wire.Errorf(wire.Internal, "presence key: %w", err)
	}
	return buddy.PresencePipe(identity.PeerPrincipal(id), p.Salt), nil
}

// overlay is a network of pipes.
type overlay struct {
	pipes  Pipes
	self   peer.ID
	keeper *account.Keeper
}

func (o overlay) look(ctx context.Context, at pipe.Advertisement, fresh bool) ([]sighting, error) {
	r, err := o.pipes.Resolve(ctx, at.ID(), pipe.ResolveOptions{Fresh: fresh})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var all []sighting
	for _, f := range r.Bindings {
		if device, ok := f.Binding.Binder.Peer(); ok {
			all = append(all, sighting{device: device, seq: f.Binding.Seq, until: now.Add(f.Binding.Life - f.Age)})
		}
	}
	return all, nil
}

func (o overlay) dial(ctx context.Context, at pipe.Advertisement, device peer.ID, grace time.Duration) (conn, error) {
	c, err := o.pipes.Dial(ctx, at.ID(), pipe.DialOptions{Binders: []peer.ID{device}, Grace: grace})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (o overlay) dialContact(ctx context.Context, id identity.Principal) (conn, error) {
	c, err := o.pipes.Dial(ctx, pipe.ContactPipe(id).ID(), pipe.DialOptions{Spread: true, Binders: o.others(id)})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// others are the devices of this account but this one; nil, for any, of another.
func (o overlay) others(id identity.Principal) (all []peer.ID) {
	a, _ := o.keeper.Account()
	if a.ID() != id {
		return nil
	}
	for _, d := range a.Log().Devices() {
		if d.ID != o.self {
			all = append(all, d.ID)
		}
	}
	return all
}

func (o overlay) bindPresence(ctx context.Context, p account.Presence, handle func(conn)) (bound, error) {
	a, err := presencePipe(p)
	if err != nil {
		return nil, err
	}
	key, err := p.Key()
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "presence key: %w", err)
	}
	right, err := identity.Capability{
		Issuer: a.Owner, Subject: identity.PeerPrincipal(o.self), Object: a.ID().Bytes(), Right: identity.RightBind,
		Expiry: time.Now().Add(bindFor).Truncate(time.Millisecond), Nonce: identity.NewNonce(),
	}.Sign(key)
	if err != nil {
		return nil, err
	}
	return o.listen(ctx, a, pipe.ListenOptions{Capability: right}, handle)
}

func (o overlay) bindContact(ctx context.Context, handle func(conn)) (bound, error) {
	a, _ := o.keeper.Account()
	return o.listen(ctx, pipe.ContactPipe(a.ID()), pipe.ListenOptions{As: o.log, RelayedOnly: a.Profile().Contact() != account.ContactDirect}, handle)
}

// log is the account's, for bindings that its devices sign.
func (o overlay) log() *identity.DeviceLog {
	a, _ := o.keeper.Account()
	return a.Log()
}

func (o overlay) showLog(log *identity.DeviceLog) { o.pipes.ShowLog(log) }

func (o overlay) listen(ctx context.Context, a pipe.Advertisement, lo pipe.ListenOptions, handle func(conn)) (bound, error) {
	lo.Advertisement = &a
	lo.Handler = func(i *pipe.Incoming) {
		if c, err := i.Accept(); err == nil {
			handle(c)
		}
	}
	l, err := o.pipes.Listen(ctx, a.ID(), lo)
	if err != nil {
		return nil, err
	}
	return l, nil
}
