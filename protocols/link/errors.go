package link

import (
	"strings"
	"unicode/utf8"

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

// clip makes text fit to be sent as a reason, and that of a peer to be shown.
func clip(s string) string {
	var out strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			r = ' '
		}
		if out.Len()+utf8.RuneLen(r) > maxReason {
			break
		}
		out.WriteRune(r)
	}
	return out.String()
}

// known is a code of a peer as a failure that this version has a word for.
func known(c wire.Code) wire.Code {
	if c == wire.OK || !c.Known() {
		return wire.Gone
	}
	return c
}

// errNoTokens refuses an end that has moved.
var errNoTokens error = wire.Errorf(wire.Forbidden, "this node takes no link from another device")

// errUnanswered is why a link is lost that never had an answer on its leg.
var errUnanswered error = wire.Errorf(wire.Timeout, "the far side did not answer")

// errStranger is why a leg ends that another node than the far end answered.
var errStranger error = wire.Errorf(wire.Forbidden, "the path led to a node that has no end of the link")

// errClaims is why a leg ends whose answer is a claim too many.
var errClaims error = wire.Errorf(wire.Busy, "too many claims to links are being judged")

// errTaken is why a link is not added that is there.
var errTaken error = wire.Errorf(wire.Taken, "this node has an end of that link already")

// errThawed is why an end has no leg that was to be exported and was not.
var errThawed error = wire.Errorf(wire.Busy, "the link was about to move, and stays")

// errImported is why an imported end has no leg yet.
var errImported error = wire.Errorf(wire.Unreachable, "the far side has not been reached from here yet")
