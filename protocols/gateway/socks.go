package gateway

import (
	"context"
	"io"
	"net"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// front is what a client of a socks rule speaks until its channel begins.
type front interface {
	// host reads what the client asks for. Errors have been answered.
	host() (string, error)
	// reply tells it what became of that, nil for a channel.
	reply(err error) error
}

// frontOf chooses by a client's first byte.
func frontOf(c io.ReadWriter) (front, error) {
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		return nil, err
	}
	switch b := first[0]; {
	case b == socksVersion:
		return socksFront{c}, nil
	case b >= 'A' && b <= 'Z':
		return &connectFront{c: c, first: b}, nil
	}
	return nil, wire.Errorf(wire.BadRequest, "the client speaks neither SOCKS5 nor HTTP")
}

// socks carries one client to the pipe that it names.
func (f *listening) socks(client net.Conn) {
	e := f.e
	give, ok := e.admit(client)
	if !ok {
		return
	}
	_ = client.SetDeadline(time.Now().Add(e.g.cfg.Limits.HandshakeTimeout))
	stop := context.AfterFunc(e.g.ctx, func() { reset(client) })
	conn, release, err := f.welcome(client)
	_ = client.SetDeadline(time.Time{})
	if err == nil && !stop() {
		err = errClosed()
		conn.Reset()
		release()
	}
	if err != nil {
		stop()
		give()
		e.refused(err)
		_ = client.Close()
		return
	}
	e.carry(conn, client, func() {
		release()
		give()
	})
}

// welcome hears what a client wants, connects to it, and tells the client.
func (f *listening) welcome(client net.Conn) (*pipe.Conn, func(), error) {
	front, err := frontOf(client)
	if err != nil {
		return nil, nil, err
	}
	host, err := front.host()
	if err != nil {
		return nil, nil, err
	}
	conn, release, err := f.connect(host, client)
	if err != nil {
		_ = front.reply(err)
		return nil, nil, err
	}
	if err = front.reply(nil); err == nil {
		if c, ok := front.(*connectFront); ok && len(c.early) > 0 {
			_, err = conn.Write(c.early)
		}
	}
	if err != nil {
		conn.ResetWith(wire.Reset, "the client has gone")
		release()
		return nil, nil, err
	}
	return conn, release, nil
}

// connect opens a channel's connection to the pipe that a client has named, and
// waits for the far node's answer, since the client is told of it.
func (f *listening) connect(host string, client net.Conn) (*pipe.Conn, func(), error) {
	g := f.e.g
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.OpenTimeout)
	defer cancel()
	id, err := g.pipeNamed(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	keeper, release, err := g.keepers.take(id, f.e.now().Transport)
	if err != nil {
		return nil, nil, err
	}
	conn, err := keeper.Dial(ctx, pipe.ChannelOptions{Hops: g.loops.before(client.RemoteAddr())})
	if err != nil {
		release()
		return nil, nil, err
	}
	if err := conn.Opened(ctx); err != nil {
		conn.Reset()
		release()
		return nil, nil, err
	}
	return conn, release, nil
}

// pipeSuffix ends the host names that lead to pipes.
const pipeSuffix = ".pipe"

// pipeNamed is the pipe of a host name: <ID>.pipe, or <name>.pipe for a name
// that a pipe has on this node. Nothing else is led to.
func (g *Gateway) pipeNamed(ctx context.Context, host string) (pipe.ID, error) {
	host = strings.TrimSuffix(host, ".")
	n := len(host) - len(pipeSuffix)
	if n < 1 || !strings.EqualFold(host[n:], pipeSuffix) {
		return pipe.ID{}, wire.Errorf(wire.Forbidden, "%.80q is no pipe: this proxy leads to pipes alone", host).
			WithNext("ask for <pipe ID>.pipe, or <name>.pipe with a name that a pipe has on this node")
	}
	if id, err := pipe.ParseID(strings.ToLower(host[:n])); err == nil {
		return id, nil
	}
	id, _, err := g.cfg.Pipes.Lookup(ctx, host[:n])
	return id, err
}
