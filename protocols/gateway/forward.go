package gateway

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// listening stands for a forward or socks rule: a local listener.
type listening struct {
	e *entry

	// Guarded by e.turn.
	l      net.Listener
	forget func() // of loops
	rule   Rule

	to atomic.Pointer[destinationPipe] // of a forward rule; nil for socks
}

// destinationPipe is where a forward rule leads.
type destinationPipe struct {
	id     pipe.ID
	keeper *pipe.Keeper
}

// listen stands for a forward or socks rule.
func (e *entry) listen(ctx context.Context, r Rule) (runner, error) {
	f := &listening{e: e}
	if r.Kind == Forward {
		to, err := e.destination(ctx, r)
		if err != nil {
			return nil, err
		}
		f.to.Store(to)
	}
	if err := f.bind(ctx, r); err != nil {
		f.letGo()
		return nil, err
	}
	return f, nil
}

// destination finds the pipe of a forward rule, and keeps the way to it open.
func (e *entry) destination(ctx context.Context, r Rule) (*destinationPipe, error) {
	id, _, err := e.g.cfg.Pipes.Lookup(ctx, r.Pipe)
	if err != nil {
		return nil, err
	}
	return &destinationPipe{id, e.g.cfg.Pipes.Keep(id, pipe.KeepOptions{
		Transport: r.Transport, Capability: r.Capability, Spread: r.Spread,
	})}, nil
}

// bind listens, and serves those who come.
func (f *listening) bind(ctx context.Context, r Rule) error {
	a, err := parseAddress(r.Listen, true)
	if err != nil {
		return err
	}
	l, err := f.e.g.cfg.Listen(ctx, a.network, a.addr)
	if err != nil {
		return listenError(a, err)
	}
	serve := f.forward
	if r.Kind == Socks {
		serve = f.socks
	}
	f.l, f.rule, f.forget = l, r, f.e.g.loops.listens(l.Addr())
	accept := func() {
		if err := f.e.accept(l, serve); !isClosed(err) {
			f.e.lost(f, func() bool { return f.l == l }, wire.Errorf(wire.Internal, "accept on %s: %w", a, err))
		}
	}
	if !f.e.g.spawn(accept) {
		f.unbind()
		return errClosed()
	}
	return nil
}

func (f *listening) unbind() {
	f.forget()
	_ = f.l.Close()
}

// letGo ends what keeps the way to the pipe open.
func (f *listening) letGo() {
	if to := f.to.Swap(nil); to != nil {
		_ = to.keeper.Close()
	}
}

func (f *listening) close() {
	f.unbind()
	f.letGo()
}

// change listens elsewhere, or leads elsewhere; channels go on.
func (f *listening) change(ctx context.Context, r Rule) error {
	old := f.rule
	to := f.to.Load()
	if r.Kind == Forward && !sameWay(r, old) {
		var err error
		if to, err = f.e.destination(ctx, r); err != nil {
			return err
		}
	}
	if err := f.move(ctx, r); err != nil {
		if to != f.to.Load() {
			_ = to.keeper.Close()
		}
		return err
	}
	f.rule = r
	if before := f.to.Swap(to); before != to {
		_ = before.keeper.Close()
	}
	return nil
}

// move listens where the rule says now. The address may overlap with the one
// that is listened on: then that is let go first, and taken again on failure.
func (f *listening) move(ctx context.Context, r Rule) error {
	if r.Listen == f.rule.Listen || r.Listen == shown(f.l.Addr()) {
		return nil
	}
	old, l, forget := f.rule, f.l, f.forget
	err := f.bind(ctx, r)
	if wire.CodeOf(err) == wire.Taken {
		forget()
		_ = l.Close()
		if err = f.bind(ctx, r); err != nil {
			return errors.Join(err, f.bind(ctx, old))
		}
		return nil
	}
	if err == nil {
		forget()
		_ = l.Close()
	}
	return err
}

// shown is a listener's address as a rule has it.
func shown(a net.Addr) string {
	if a.Network() == "unix" {
		return address{"unix", a.String()}.String()
	}
	return a.String()
}

// sameWay reports that two rules lead to one pipe in one manner.
func sameWay(a, b Rule) bool {
	return a.Pipe == b.Pipe && a.Transport == b.Transport && a.Spread == b.Spread && string(a.Capability) == string(b.Capability)
}

func (f *listening) status(s *Status) {
	s.Addr = shown(f.l.Addr())
	if to := f.to.Load(); to != nil {
		k := to.keeper.State()
		s.Pipe, s.Binders, s.Unbound = to.id, k.Binders, k.Err
	}
}

// forward carries one client to the rule's pipe.
func (f *listening) forward(client net.Conn) {
	e := f.e
	give, ok := e.admit(client)
	if !ok {
		return
	}
	conn, err := f.dial(e.g.loops.before(client.RemoteAddr()))
	if err != nil {
		give()
		e.refused(err)
		reset(client)
		return
	}
	e.carry(conn, client, give)
}

// admit takes a place for a client, until give is called. One for whom there is
// none is reset.
func (e *entry) admit(client net.Conn) (give func(), ok bool) {
	key := clientKey(client)
	if err := e.take(key); err != nil {
		e.refused(err)
		reset(client)
		return nil, false
	}
	return func() { e.give(key) }, true
}

// dial opens a channel's connection by whatever the rule leads to now.
func (f *listening) dial(hops int) (*pipe.Conn, error) {
	ctx, cancel := context.WithTimeout(f.e.g.ctx, f.e.g.cfg.Limits.OpenTimeout)
	defer cancel()
	for {
		to := f.to.Load()
		if to == nil {
			return nil, wire.Errorf(wire.Closed, "the rule has ended")
		}
		conn, err := to.keeper.Dial(ctx, pipe.ChannelOptions{Hops: hops})
		if err == nil || f.to.Load() == to {
			return conn, err
		}
	}
}

// clientKey is whose share a local client's channel takes: that of its IP
// address, or of all who use Unix sockets.
func clientKey(c net.Conn) string {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return "unix"
	}
	return "ip " + a.IP.String()
}
