package link

import (
	"github.com/panpipe-net/panpipe/protocols/wire"
)

var (
	// errComplete ends a link whose streams have both ended.
	errComplete error = wire.Errorf(wire.Closed, "the link is closed")
	// errEnded is for a write after CloseWrite.
	errEnded error = wire.Errorf(wire.Closed, "this side of the link is closed for writing")
	// errLeft is why a leg ends that the far side has left.
	errLeft error = wire.Errorf(wire.Closed, "the far side left the leg")
	// errFarClosed is for a write that nobody will read.
	errFarClosed error = wire.Errorf(wire.Closed, "the far side has closed the link")
)

// clip makes text of a peer fit to be shown.
func clip(s string) string {
	out := make([]rune, 0, min(len(s), maxReason))
	for _, r := range s {
		if len(out) == maxReason {
			break
		}
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

// errNoTokens refuses an end that has moved.
var errNoTokens error = wire.Errorf(wire.Forbidden, "this node takes no link from another device")

// errThawed is why an end has no leg that was to be exported and was not.
var errThawed error = wire.Errorf(wire.Busy, "the link was about to move, and stays")

// errImported is why an imported end has no leg yet.
var errImported error = wire.Errorf(wire.Unreachable, "the far side has not been reached from here yet")
