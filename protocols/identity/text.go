package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// checksumSize is the number of bytes of SHA-256 at the end of a text.
const checksumSize = 4

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// TextForm is one kind of text that people copy: prefix ‖ base32(bytes ‖ checksum).
type TextForm struct {
	Name   string // what a person calls it
	Prefix string // with its colon
	Limit  int    // of the bytes, without the checksum
}

func (f TextForm) encoding() *base32.Encoding {
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
}

// Format returns the text of b.
func (f TextForm) Format(b []byte) string {
	sum := sha256.Sum256(b)
	return f.Prefix + f.encoding().EncodeToString(append(bytes.Clone(b), sum[:checksumSize]...))
}

// Parse returns the bytes of a text. White space anywhere is ignored, since
// terminals and mails wrap long lines, and so is case, since QR codes are
// shorter in capitals. Errors are BadRequest for a text that is mistyped or of
// another kind, TooLarge above the limit.
func (f TextForm) Parse(text string) ([]byte, error) {
	if most := len(f.Prefix) + f.encoding().EncodedLen(f.Limit+checksumSize); len(text) > 2*most {
		return nil, wire.Errorf(wire.TooLarge, "%s of %d characters, at most %d", f.Name, len(text), most)
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	digits, ok := strings.CutPrefix(text, f.Prefix)
	if !ok {
		return nil, f.wrongPrefix(text)
	}
	for i, r := range digits {
		if !strings.ContainsRune(alphabet, r) {
			return nil, f.mistyped("%q, %d characters after %q, never occurs in one", r, i+1, f.Prefix)
		}
	}
	b, err := f.encoding().DecodeString(digits)
	if err != nil || len(b) <= checksumSize {
		return nil, f.mistyped("%d characters after %q cannot be all of it", len(digits), f.Prefix)
	}
	b, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	// The comparison of texts refuses stray bits in the last character.
	if want := sha256.Sum256(b); !bytes.Equal(sum, want[:checksumSize]) || f.Format(b) != text {
		return nil, f.mistyped("its checksum does not fit")
	}
	if len(b) > f.Limit {
		return nil, wire.Errorf(wire.TooLarge, "%s of %d bytes, at most %d", f.Name, len(b), f.Limit)
	}
	return b, nil
}

func (f TextForm) wrongPrefix(text string) error {
	got := "no such prefix"
	if prefix, _, ok := strings.Cut(text, ":"); ok {
		got = quote(prefix + ":")
	} else if text == "" {
		got = "an empty text"
	}
	return wire.Errorf(wire.BadRequest, "not a %s: expected a text that begins with %q, got %s", f.Name, f.Prefix, got)
}

func (f TextForm) mistyped(why string, args ...any) error {
	args = append([]any{f.Name}, args...)
	return wire.Errorf(wire.BadRequest, "%s is mistyped or cut off: "+why, args...).
		WithNext("copy the whole text again, from %q to its end", f.Prefix)
}

// quote shows a stranger's text in an error: quoted, and short.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
