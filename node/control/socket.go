package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxSocketPath is what fits into a socket address everywhere (104 bytes on
// macOS, 108 on Linux, each with a zero at the end).
const maxSocketPath = 103

// CheckSocket makes sure that the API can be served at path, and makes its
// folder: so that a node that could not be talked to need not be started. A
// socket that somebody answers on, and a file that is none, are wire.Taken; a
// socket that nobody answers on is removed.
func CheckSocket(ctx context.Context, path string) error {
	if len(path) > maxSocketPath {
		return wire.Errorf(wire.BadRequest, "local API: the socket path %s has %d bytes, at most %d", path, len(path), maxSocketPath).
			WithNext("give a shorter path with --socket")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return wire.Errorf(wire.Internal, "local API: no folder for the socket: %w", err).
			WithNext("give another path with --socket")
	}
	return removeDead(ctx, path)
}

// listenUnix listens at path with mode 0600.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := CheckSocket(ctx, path); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, taken(path)
	}
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "local API: cannot listen at %s: %w", path, err).
			WithNext("give another path with --socket")
	}
	// Between the two calls the file mode may be wider, but the folder is
	// private, and peer credentials are checked in any case.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, wire.Errorf(wire.Internal, "local API: %w", err)
	}
	return l, nil
}

func taken(path string) error {
	return wire.Errorf(wire.Taken, "another node serves %s already", path).
		WithNext("stop it, or choose another --profile")
}

// removeDead clears path of a socket whose owner has died.
func removeDead(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wire.Errorf(wire.Internal, "local API: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return wire.Errorf(wire.Taken, "local API: %s is there and is not a socket", path).
			WithNext("move it away, or give another path with --socket")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
		return taken(path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return wire.Errorf(wire.Taken, "local API: cannot tell whether %s is in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.Internal, "local API: a dead socket stays in the way: %w", err)
	}
	return nil
}
