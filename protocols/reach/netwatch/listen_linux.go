package netwatch

import (
	"context"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// groups are the multicast groups of rtnetlink(7) that are heard.
const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
	unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE

// messageSize is more than the kernel's messages have in one datagram.
const messageSize = 64 << 10

// listen is the source of this machine: the kernel as long as it speaks, else
// polling.
func listen(ctx context.Context, noted chan<- note) {
	hear(ctx, noted)
	if ctx.Err() == nil {
		poll(ctx, noted)
	}
}

// hear returns when ctx ends, or the kernel is not to be heard.
func hear(ctx context.Context, noted chan<- note) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { _ = socket.Close() })() // ends the wait below
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	send(ctx, noted, note{}) // what changed between the first look and now
	var known routes
	for buf := make([]byte, messageSize); ; {
		n, from, err := receive(raw, buf)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			send(ctx, noted, note{other: true}) // some were lost
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		case from != 0:
			continue // not from the kernel
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			continue
		}
		for _, m := range messages {
			if n, ok := known.note(m); ok {
				send(ctx, noted, n)
			}
		}
	}
}

// receive reads one datagram, and the port of its sender: 0 is the kernel.
func receive(raw syscall.RawConn, buf []byte) (n int, from uint32, err error) {
	waited := raw.Read(func(fd uintptr) bool {
		var at unix.Sockaddr
		n, at, err = unix.Recvfrom(int(fd), buf, 0)
		if nl, ok := at.(*unix.SockaddrNetlink); ok {
			from = nl.Pid
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil {
		err = waited
	}
	return n, from, err
}
