//go:build !unix

package link

import "errors"

// rawWorks: here a conn cannot be asked for what it has or takes without waiting.
const rawWorks = false

var errNothing = errors.New("nothing to read or no room")

func readRaw(uintptr, []byte) (int, error) { return 0, errNothing }

func writeRaw(uintptr, []byte) (int, error) { return 0, errNothing }
