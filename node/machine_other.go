//go:build !linux

package node

// forceBuffers is Linux's alone.
func forceBuffers(int, int) {}
