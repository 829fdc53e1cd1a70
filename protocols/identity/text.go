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

// form is one kind of text that people copy: prefix ‖ base32(bytes ‖ checksum).
type form struct {
	name   string // what a person calls it
	prefix string // with its colon
	limit  int    // of the bytes, without the checksum
}

func (f form) encoding() *base32.Encoding {
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
}

// format returns the text of b.
func (f form) format(b []byte) string {
	sum := sha256.Sum256(b)
	return f.prefix + f.encoding().EncodeToString(append(bytes.Clone(b), sum[:checksumSize]...))
}

// parse returns the bytes of a text. White space anywhere is ignored, since
// terminals and mails wrap long lines, and so is case, since QR codes are
// shorter in capitals.
func (f form) parse(text string) ([]byte, error) {
	if most := len(f.prefix) + f.encoding().EncodedLen(f.limit+checksumSize); len(text) > 2*most {
		return nil, wire.Errorf(wire.TooLarge, "%s of %d characters, at most %d", f.name, len(text), most)
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	digits, ok := strings.CutPrefix(text, f.prefix)
	if !ok {
		return nil, f.wrongPrefix(text)
	}
	for i, r := range digits {
		if !strings.ContainsRune(alphabet, r) {
			return nil, f.mistyped("%q, %d characters after %q, never occurs in one", r, i+1, f.prefix)
		}
	}
	b, err := f.encoding().DecodeString(digits)
	if err != nil || len(b) <= checksumSize {
		return nil, f.mistyped("%d characters after %q cannot be all of it", len(digits), f.prefix)
	}
	b, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	// The comparison of texts refuses stray bits in the last character.
	if want := sha256.Sum256(b); !bytes.Equal(sum, want[:checksumSize]) || f.format(b) != text {
		return nil, f.mistyped("its checksum does not fit")
	}
	if len(b) > f.limit {
		return nil, wire.Errorf(wire.TooLarge, "%s of %d bytes, at most %d", f.name, len(b), f.limit)
	}
	return b, nil
}

func (f form) wrongPrefix(text string) error {
	got := "no such prefix"
	if prefix, _, ok := strings.Cut(text, ":"); ok {
		got = quote(prefix + ":")
	} else if text == "" {
		got = "an empty text"
	}
	return wire.Errorf(wire.BadRequest, "not a %s: expected a text that begins with %q, got %s", f.name, f.prefix, got)
}

func (f form) mistyped(why string, args ...any) error {
	args = append([]any{f.name}, args...)
	return wire.Errorf(wire.BadRequest, "%s is mistyped or cut off: "+why, args...).
		WithNext("copy the whole text again, from %q to its end", f.prefix)
}

// quote shows a stranger's text in an error: quoted, and short.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
