//go:build unix

package main

import (
	"errors"
	"syscall"
)

// isBroken reports that the other end takes no more.
func isBroken(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
