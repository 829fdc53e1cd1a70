//go:build full

package lab

import (
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// do calls f as if on the machine: the sockets that f opens itself, not in
// goroutines of its own, are the machine's.
func (m *Machine) do(f func()) {
	m.lab.t.Helper()
	ns, err := os.Open(filepath.Join("/run/netns", m.Name))
	if err != nil {
		m.lab.t.Fatal(err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine.
		runtime.LockOSThread()
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		defer func() { done <- err }()
		if err == nil {
			f()
		}
	}()
	if err := <-done; err != nil {
		m.lab.t.Fatal(err)
	}
}
