//go:build (unix && !aix && !solaris) || illumos

package node

import (
	"os"
	"syscall"
)

// lockFile takes the lock without waiting.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
