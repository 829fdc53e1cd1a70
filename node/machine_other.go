//go:build !linux && !darwin && !freebsd

package node

import "syscall"

// Nothing of this is known on Windows, or has been tried on the systems left.

func socketBuffers(syscall.RawConn, int) (receive, send int) { return 0, 0 }

func fileLimit() uint64 { return 0 }

func diskFree(string) int64 { return -1 }
