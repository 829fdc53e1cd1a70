//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// resizes yields when the terminal's size may have changed, until stop.
func resizes() (resized <-chan struct{}, stop func()) {
	signals := make(chan os.Signal, 1)
	out := make(chan struct{}, 1)
	signal.Notify(signals, syscall.SIGWINCH)
	go func() {
		defer close(out)
		for range signals {
			select {
			case out <- struct{}{}:
			default: // one is waiting, and the size is asked for then
			}
		}
	}()
	return out, func() {
		signal.Stop(signals)
		close(signals)
	}
}
