package node

import "syscall"

// forceBuffers asks for buffers beyond the limit of the system, as quic-go
// does. It takes CAP_NET_ADMIN; whether it worked is seen in the size.
func forceBuffers(fd, want int) {
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, want)
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUFFORCE, want)
}
