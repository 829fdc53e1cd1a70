//go:build darwin || freebsd

package node

// forceBuffers is Linux's alone.
func forceBuffers(int, int) {}
