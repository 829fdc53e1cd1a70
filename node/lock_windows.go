package node

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock without waiting. It locks a byte far beyond the
// content, so that others can still read who has it.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}
