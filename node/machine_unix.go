//go:build linux || darwin || freebsd

package node

import "syscall"

// socketBuffers are the buffers of a socket, after a last try of a privileged
// process to have those that it wants.
func socketBuffers(c syscall.RawConn, want int) (receive, send int) {
	err := c.Control(func(fd uintptr) {
		forceBuffers(int(fd), want)
		receive, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF) // 0: not known
		send, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
	})
	if err != nil {
		return 0, 0
	}
	return receive, send
}

// fileLimit is how many files this process may have open, 0 if not known.
func fileLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return uint64(l.Cur) //nolint:unconvert // signed on FreeBSD
}

// diskFree is the room for this user in bytes, -1 if not known.
func diskFree(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // of other types elsewhere
}
