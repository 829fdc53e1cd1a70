//go:build unix

package link

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// rawWorks: a conn may be asked for what it has or takes without waiting.
const rawWorks = true

// errNothing is why nothing can be read or written yet.
var errNothing error = syscall.EAGAIN

// readRaw reads what there is.
func readRaw(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case err == nil:
			return 0, io.EOF
		case errors.Is(err, errNothing):
			return 0, errNothing
		}
		return 0, os.NewSyscallError("read", err)
	}
}

// writeRaw writes what there is room for.
func writeRaw(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err = syscall.Write(int(fd), b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, errNothing):
			return 0, errNothing
		}
		return 0, os.NewSyscallError("write", err)
	}
}
