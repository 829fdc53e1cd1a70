package gateway

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// listen is the Config's Listen by default. A Unix socket that nobody listens
// on any more, since its program died, is replaced. 0.0.0.0 is IPv4 alone, which
// package net takes for every address of either kind.
func listen(ctx context.Context, network, addr string) (net.Listener, error) {
	if at, err := netip.ParseAddrPort(addr); network == "tcp" && err == nil && at.Addr().Is4() {
		network = "tcp4"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // its sockets are slower, and clients here are near
	l, err := lc.Listen(ctx, network, addr)
	if network != "unix" || !errors.Is(err, syscall.EADDRINUSE) || !abandoned(ctx, addr) {
		return l, err
	}
	if err := os.Remove(addr); err != nil {
		return nil, err
	}
	return lc.Listen(ctx, network, addr)
}

// abandoned reports that a path is a socket on which nobody listens.
func abandoned(ctx context.Context, path string) bool {
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// listenError says why an address cannot be had and what to do.
func listenError(a address, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return wire.Errorf(wire.Taken, "cannot listen on %s: it is in use", a).
			WithNext("stop the program that has it, or listen on another address (port 0 takes a free one)")
	case errors.Is(err, fs.ErrPermission):
		return wire.Errorf(wire.Forbidden, "cannot listen on %s: %w", a, err).
			WithNext("choose a port above 1023, or a folder that this user may write to")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return wire.Errorf(wire.NotReady, "cannot listen on %s: this machine does not have the address now", a).
			WithNext("use one of its own addresses, 127.0.0.1 for this machine alone")
	case errors.Is(err, fs.ErrNotExist):
		return wire.Errorf(wire.Unknown, "cannot listen on %s: its folder is not there", a).WithNext("make the folder")
	case errors.As(err, &dns):
		return wire.Errorf(wire.BadRequest, "cannot listen on %s: the host name leads nowhere", a).WithNext("write an IP address")
	case outOfFiles(err):
		return wire.Errorf(wire.Busy, "cannot listen on %s: no file descriptor is left", a).WithNext("raise the limit of open files (ulimit -n)")
	}
	return wire.Errorf(wire.Internal, "cannot listen on %s: %w", a, err)
}

// accept hands each client to serve, in a goroutine of the gateway's, until the
// listener ends. Where descriptors are short clients wait.
func (e *entry) accept(l net.Listener, serve func(net.Conn)) error {
	var rest time.Duration
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			rest = 0
			if !e.g.spawn(func() { serve(c) }) {
				reset(c)
			}
		case errors.Is(err, syscall.ECONNABORTED):
		case outOfFiles(err):
			if rest == 0 {
				e.trace(Event{Kind: EventAcceptBlocked, Err: wire.Errorf(wire.Busy, "clients wait: %w", err).
					WithNext("raise the limit of open files (ulimit -n)")})
			}
			rest = min(max(2*rest, 5*time.Millisecond), time.Second)
			if !e.g.rest(rest) {
				return errClosed()
			}
		default:
			return err
		}
	}
}

// rest waits; false at the gateway's end.
func (g *Gateway) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-g.ctx.Done():
		return false
	}
}
