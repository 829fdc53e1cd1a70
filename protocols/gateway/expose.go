package gateway

import (
	"context"
	"net"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// exposing stands for an expose rule: a pipe that is served.
type exposing struct {
	e  *entry
	id pipe.ID

	// Guarded by e.turn.
	rule     Rule // that the listener was made for
	listener *pipe.Listener
}

// expose serves the rule's pipe, which is made if there is none of its name.
func (e *entry) expose(ctx context.Context, r Rule) (runner, error) {
	id, adv, err := e.g.pipeFor(ctx, r)
	if err != nil {
		return nil, err
	}
	x := &exposing{e: e, id: id}
	if err := x.bind(ctx, r, adv); err != nil {
		return nil, err
	}
	return x, nil
}

// pipeFor finds or makes the pipe of an expose rule. Its dial policy is a list,
// which can change, and any number of nodes may serve it unless it is exclusive.
func (g *Gateway) pipeFor(ctx context.Context, r Rule) (pipe.ID, *pipe.Advertisement, error) {
	id, adv, err := g.cfg.Pipes.Lookup(ctx, r.Pipe)
	if wire.CodeOf(err) != wire.Unknown {
		return id, adv, err
	}
	o := pipe.CreateOptions{Binders: pipe.Many, DialPolicy: pipe.DialListed}
	if r.Exclusive {
		o.Binders = pipe.Exclusive
	}
	p, err := g.cfg.Pipes.Create(ctx, r.Pipe, o)
	return p.ID, &p.Advertisement, err
}

// bind makes the listener.
func (x *exposing) bind(ctx context.Context, r Rule, adv *pipe.Advertisement) error {
	list, anyone := r.allowed()
	if err := checkPolicy(adv, anyone); err != nil {
		return err
	}
	l, err := x.e.g.cfg.Pipes.Listen(ctx, x.id, pipe.ListenOptions{
		Advertisement: adv, Capability: r.Capability, Allow: list, AllowAnyone: anyone, Handler: x.serve,
	})
	if err != nil {
		return err
	}
	described := l.Advertisement()
	if err := checkPolicy(&described, anyone); err != nil {
		_ = l.Close()
		return err
	}
	x.listener, x.rule = l, r
	if !x.e.g.spawn(func() { x.watch(l) }) {
		_ = l.Close()
		return errClosed()
	}
	return nil
}

// checkPolicy refuses a list of who may dial on a pipe that everybody may.
func checkPolicy(adv *pipe.Advertisement, anyone bool) error {
	if adv != nil && adv.DialPolicy == pipe.DialOpen && !anyone {
		return wire.Errorf(wire.BadRequest, "the pipe is open to everybody for good: a list of who may dial has no force on it").
			WithNext("expose the service on another pipe, or allow %s", Anyone)
	}
	return nil
}

// watch waits for the end of a listener that ends by itself.
func (x *exposing) watch(l *pipe.Listener) {
	_, err := l.Accept() // gives nothing but the end where there is a handler
	if err != nil && !isClosed(err) {
		x.e.lost(x, func() bool { return x.listener == l }, err)
	}
}

// change serves another rule on the same pipe, or moves to another pipe.
func (x *exposing) change(ctx context.Context, r Rule) error {
	id, adv, err := x.e.g.pipeFor(ctx, r)
	if err != nil {
		return err
	}
	if id == x.id && string(r.Capability) == string(x.rule.Capability) {
		list, anyone := r.allowed()
		described := x.listener.Advertisement()
		if err := checkPolicy(&described, anyone); err != nil {
			return err
		}
		x.listener.SetAllow(list, anyone)
		x.rule = r
		return nil
	}
	if id == x.id { // a pipe has one listener at a time
		old := x.rule
		_ = x.listener.Close()
		if err := x.bind(ctx, r, adv); err != nil {
			if again := x.bind(ctx, old, adv); again != nil {
				x.e.g.spawn(func() { x.e.lost(x, nil, again) })
			}
			return err
		}
		return nil
	}
	next := &exposing{e: x.e, id: id}
	if err := next.bind(ctx, r, adv); err != nil {
		return err
	}
	_ = x.listener.Close()
	x.e.run = next
	return nil
}

func (x *exposing) close() { _ = x.listener.Close() }

func (x *exposing) status(s *Status) {
	s.Pipe, s.Holders = x.id, x.listener.Status().Holders
}

// serve answers a dialer: the service is connected to first, so that what it
// says to that is the answer.
func (x *exposing) serve(in *pipe.Incoming) {
	e := x.e
	r := e.now()
	client := "peer " + string(in.Peer())
	if err := e.take(client); err != nil {
		e.refused(in.Refuse(err))
		return
	}
	local, err := e.connect(in, r)
	if err != nil {
		e.give(client)
		e.refused(in.Refuse(err))
		return
	}
	conn, err := in.Accept()
	if err != nil { // the dialer has gone, or was a probe
		e.give(client)
		e.hangUp(local)
		return
	}
	e.carry(conn, local, func() {
		e.give(client)
		e.g.loops.forget(local.LocalAddr())
	})
}

// take takes a place among the gateway's and the rule's channels.
func (e *entry) take(client string) error {
	if err := e.g.places.take(client); err != nil {
		return err
	}
	if err := e.places.take(client); err != nil {
		e.g.places.give(client)
		return err
	}
	return nil
}

func (e *entry) give(client string) {
	e.places.give(client)
	e.g.places.give(client)
}

// connect connects to the service for a dialer, and tells it who comes if it is
// to know.
func (e *entry) connect(in *pipe.Incoming, r Rule) (net.Conn, error) {
	var header func(net.Conn) ([]byte, error)
	if r.ProxyProtocol == ProxyV2 {
		id := in.ID()
		who := caller{from: in.RemoteEndpoint(), peer: in.Peer(), channel: id[:]}
		header = func(c net.Conn) ([]byte, error) { return who.header(c.RemoteAddr()) }
		if in.Probe() {
			header = func(net.Conn) ([]byte, error) { return localHeader().Format() }
		}
	}
	return e.reach(in.Context(), r, in.Hops()+1, header)
}

// reach connects to the service of a rule, and sends a header first. Hops is
// how many gateways stand before the connection.
func (e *entry) reach(ctx context.Context, r Rule, hops int, header func(net.Conn) ([]byte, error)) (net.Conn, error) {
	target, err := parseAddress(r.Target, false)
	if err != nil {
		return nil, err
	}
	local, err := e.g.dialTarget(ctx, target, hops)
	if err != nil || header == nil {
		return local, err
	}
	h, err := header(local)
	if err == nil {
		_ = local.SetWriteDeadline(time.Now().Add(e.g.cfg.Limits.TargetTimeout))
		_, err = local.Write(h)
		_ = local.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		e.hangUp(local)
		return nil, wire.Errorf(wire.Reset, "the service would not hear who comes")
	}
	return local, nil
}

// hangUp ends a connection to a service that carries nothing.
func (e *entry) hangUp(local net.Conn) {
	e.g.loops.forget(local.LocalAddr())
	_ = local.Close()
}

// knock finds out whether the service takes connections.
func (e *entry) knock(ctx context.Context, r Rule) error {
	var header func(net.Conn) ([]byte, error)
	if r.ProxyProtocol == ProxyV2 {
		header = func(net.Conn) ([]byte, error) { return localHeader().Format() }
	}
	local, err := e.reach(ctx, r, 1, header)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "the service at %s: %w", r.Target, err).WithNext("%s", wire.NextOf(err))
	}
	e.hangUp(local)
	return nil
}
