package main

import (
	"errors"
	"syscall"
)

// wsaConnReset and wsaConnAborted are Windows' words for a connection that the
// other end has dropped.
const (
	wsaConnAborted = syscall.Errno(10053)
	wsaConnReset   = syscall.Errno(10054)
)

// isBroken reports that the other end takes no more.
func isBroken(err error) bool {
	return errors.Is(err, wsaConnReset) || errors.Is(err, wsaConnAborted) || errors.Is(err, syscall.ERROR_BROKEN_PIPE)
}
