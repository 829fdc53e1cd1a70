//go:build !unix

package link

import "errors"

// rawReads: here a conn cannot be asked for what it has without waiting.
const rawReads = false

var errNothing = errors.New("nothing to read")

func readRaw(uintptr, []byte) (int, error) { return 0, errNothing }
