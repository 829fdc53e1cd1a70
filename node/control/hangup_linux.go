package control

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitHangup returns when the program at the other end of c has closed it or
// died, or when ended is closed, which closes c too. It is for a Unix socket
// whose other end has shut down its half already: then nothing but a hang-up
// makes it readable anew, and without this a program that has died would look
// like one that waits. Elsewhere only ended counts.
func waitHangup(c net.Conn, ended <-chan struct{}) {
	raw := rawUnix(c)
	if raw == nil {
		<-ended
		return
	}
	raw.Read(hasHungUp) //nolint:errcheck // an error means that c is closed
}

// hungUp reports that the program at the other end of a Unix socket has closed
// it or died, and has not only shut down its half. Once this side has shut
// down its own half as well, the kernel says the same of both.
func hungUp(c net.Conn) bool {
	gone := false
	if raw := rawUnix(c); raw != nil {
		raw.Control(func(fd uintptr) { gone = hasHungUp(fd) }) //nolint:errcheck // as in waitHangup
	}
	return gone
}

// rawUnix is the file of a Unix socket, nil for anything else.
func rawUnix(c net.Conn) syscall.RawConn {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func hasHungUp(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p, 0)
	return n > 0 && err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
