package terminal

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// JSON makes JSON fit to be shown in a terminal, and leaves its meaning as it is:
// what a terminal might obey stands in strings only, and is written as \uXXXX
// there. Controls below U+0020 are so in all JSON.
func JSON(b []byte) []byte {
	if bytes.IndexFunc(b, obeyed) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if obeyed(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// obeyed reports what a terminal might obey, or that turns a line around. All of
// it is below U+10000.
func obeyed(r rune) bool {
	return r == 0x7f || r >= 0x80 && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
