//go:build unix

package link

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// rawReads: a conn may be asked for what it has without waiting.
const rawReads = true

// errNothing is why readRaw has read nothing yet.
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
