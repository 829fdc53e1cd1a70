package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// LockFile is locked by the process that runs on the state directory. It holds
// that process's ID in decimal; the operating system drops the lock with the
// process.
const LockFile = "lock"

// dirLock holds a state directory.
type dirLock struct{ f *os.File }

// lockDir takes the state directory for this node, or is wire.Taken. An empty
// dir needs no lock.
func lockDir(dir string) (*dirLock, error) {
	if dir == "" {
		return &dirLock{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, wire.Errorf(wire.Internal, "state directory: %w", err).
			WithNext("choose a state directory that can be written")
	}
	path := filepath.Join(dir, LockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "state directory: %w", err).
			WithNext("choose a state directory that can be written")
	}
	if err := lockFile(f); err != nil {
		err = wire.Errorf(wire.Taken, "another node%s runs on %s", holder(path), dir).
			WithNext("stop it, or choose another profile or state directory")
		return nil, errors.Join(err, f.Close())
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
	if err != nil {
		return nil, errors.Join(wire.Errorf(wire.Internal, "state directory: %w", err), f.Close())
	}
	return &dirLock{f}, nil
}

// holder reads who has the lock, for the message alone.
func holder(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// Close lets the directory go. The file stays: removing it would let two
// processes lock two files of one name.
func (l *dirLock) Close() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
