package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// waitHangup returns when the program at the other end of c has closed it or
// died, or when ended is closed, which closes c too. It is for a Unix socket
// whose other end has shut down its half already: then nothing but a hang-up
// makes it readable anew, and without this a program that has died would look
// like one that waits. Elsewhere only ended counts.
func waitHangup(c net.Conn, ended <-chan struct{}) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		<-ended
		return
	}
	raw, err := u.SyscallConn()
	if err != nil {
		<-ended
		return
	}
	raw.Read(func(fd uintptr) bool { //nolint:errcheck // an error means that c is closed
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		return n > 0 && err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}
