package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net"
	"runtime"
	"syscall"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// dialTarget connects to the service behind an expose rule, for a dialer behind
// so many gateways. What goes wrong is told in words that may go to the dialer:
// they do not name the service's address.
func (g *Gateway) dialTarget(ctx context.Context, target address, hops int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Limits.TargetTimeout)
	defer cancel()
	if g.loops.own(target) {
		return g.dialOwn(ctx, target, hops)
	}
	c, err := g.cfg.DialTarget(ctx, target.network, target.addr)
	if err != nil {
		return nil, targetError(ctx, err)
	}
	return c, nil
}

// dialOwn connects to a listener of this very gateway, which is told how many
// gateways stand before the client that it gets.
func (g *Gateway) dialOwn(ctx context.Context, target address, hops int) (net.Conn, error) {
	var d net.Dialer
	if target.network == "unix" && runtime.GOOS == "linux" {
		d.LocalAddr = &net.UnixAddr{Net: "unix", Name: "@panpipe-" + rand.Text()} // so that it has an address
	}
	dialled := g.loops.dialling(hops)
	c, err := d.DialContext(ctx, target.network, target.addr)
	if err != nil {
		dialled(nil)
		return nil, targetError(ctx, err)
	}
	dialled(c.LocalAddr())
	return c, nil
}

// isClosed reports an end of the gateway's own making.
func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || wire.CodeOf(err) == wire.Closed
}

// targetError is why the service could not be reached, in the vocabulary.
func targetError(ctx context.Context, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return wire.Errorf(wire.Refused, "the service refused the connection").WithNext("start the service behind the pipe")
	case errors.Is(err, syscall.ECONNRESET):
		return wire.Errorf(wire.Reset, "the service reset the connection").WithNext("look into the service's own log")
	case errors.As(err, &dns) && !dns.IsTimeout:
		return wire.Errorf(wire.Unreachable, "the service's host name leads nowhere").WithNext("correct the target of the expose rule")
	case ctx.Err() != nil, wire.CodeOf(err) == wire.Timeout:
		return wire.Errorf(wire.Timeout, "the service did not answer in time").WithNext("see that the service runs, is not overloaded, and that no firewall drops its packets")
	case errors.Is(err, fs.ErrNotExist):
		return wire.Errorf(wire.Unreachable, "the service's socket is not there").WithNext("start the service behind the pipe")
	case errors.Is(err, fs.ErrPermission):
		return wire.Errorf(wire.Forbidden, "the exposing node may not use the service's socket").WithNext("let the user that the node runs as read and write the socket, and enter its folder")
	case outOfFiles(err):
		return wire.Errorf(wire.Busy, "the exposing node is out of file descriptors").WithNext("raise the limit of open files (ulimit -n)")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return wire.Errorf(wire.Unreachable, "the service's host cannot be reached").WithNext("see that the host is up, or correct the target of the expose rule")
	}
	return wire.Errorf(wire.Unreachable, "the service cannot be reached").WithNext("correct the target of the expose rule, or start the service behind it")
}

// outOfFiles reports that the process or the machine has no descriptor left:
// it passes.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
