package buddy

import (
	"unicode"
	"unicode/utf8"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Caps of texts that people write, in bytes.
const (
	MaxName   = 128 // of an account
	MaxNote   = 256 // of a request
	MaxStatus = 256
)

// CheckLine refuses, as BadRequest or TooLarge, what is not one line of at most
// limit bytes that can be shown anywhere: UTF-8 without control characters, line
// separators or signs that turn text round.
func CheckLine(what, text string, limit int) error {
	if len(text) > limit {
		return wire.Errorf(wire.TooLarge, "%s of %d bytes, at most %d", what, len(text), limit)
	}
	if !utf8.ValidString(text) {
		return wire.Errorf(wire.BadRequest, "%s is not UTF-8", what)
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return wire.Errorf(wire.BadRequest, "%s has the character %U, which may not be shown", what, r)
		}
	}
	return nil
}
