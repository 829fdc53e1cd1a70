package pipe

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// IDSize is the length of an ID's binary form in bytes.
const IDSize = 36

// uriPrefix is what URI writes before the ID.
const uriPrefix = "pipe:"

// cidPrefix begins the binary form: CID version 1, codec raw, hash sha2-256,
// 32 bytes.
var cidPrefix = [4]byte{0x01, 0x55, 0x12, 0x20}

// keyPrefix keeps a pipe's place in the key space from telling its ID.
const keyPrefix = "panpipe/key"

// ID names a pipe: the SHA-256 of its advertisement's canonical bytes, written
// as a CID. It is an address, never a secret and never an authority. It is
// comparable; the zero ID names nothing.
type ID struct{ digest [sha256.Size]byte }

// IDOf returns the ID of a pipe whose advertisement has these canonical bytes.
func IDOf(advertisement []byte) ID { return ID{digest: sha256.Sum256(advertisement)} }

// IDFromBytes reads the 36 bytes that Bytes makes. Errors are BadRequest.
func IDFromBytes(b []byte) (ID, error) {
	if len(b) != IDSize || !bytes.Equal(b[:len(cidPrefix)], cidPrefix[:]) {
		return ID{}, wire.Errorf(wire.BadRequest, "pipe ID: expected %d bytes of a CIDv1 (raw, sha2-256)", IDSize)
	}
	return ID{digest: [sha256.Size]byte(b[len(cidPrefix):])}, nil
}

// ParseID reads an ID's text, with or without "pipe:" before it. Space around
// it is ignored. Errors are BadRequest and say what is wrong.
func ParseID(s string) (ID, error) {
	text := strings.TrimPrefix(strings.TrimSpace(s), uriPrefix)
	const want = 1 + (IDSize*8+4)/5
	if len(text) != want || !strings.HasPrefix(text, "bafkrei") {
		return ID{}, badID(text, "expected %d characters that begin with %q", want, "bafkrei")
	}
	b, err := idEncoding().DecodeString(text[1:])
	if err != nil {
		return ID{}, badID(text, "mistyped: only a to z and 2 to 7 occur")
	}
	id, err := IDFromBytes(b)
	if err != nil {
		return ID{}, badID(text, "not a CIDv1 (raw, sha2-256)")
	}
	if id.String() != text {
		return ID{}, badID(text, "the last character is mistyped")
	}
	return id, nil
}

func badID(text, format string, args ...any) error {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	why := wire.Errorf(wire.BadRequest, format, args...)
	return wire.Errorf(wire.BadRequest, "pipe ID %q: %w", text, why).WithNext("copy the whole ID again")
}

func idEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// Bytes returns the binary form: the 4 bytes 01 55 12 20, then the digest.
func (id ID) Bytes() []byte {
	return append(append(make([]byte, 0, IDSize), cidPrefix[:]...), id.digest[:]...)
}

// String returns the text form: "b" and lower-case base32 without padding, 59
// characters. The zero ID gives "".
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return "b" + idEncoding().EncodeToString(id.Bytes())
}

// URI returns the text form with "pipe:" before it.
func (id ID) URI() string { return uriPrefix + id.String() }

// IsZero reports whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Key returns where the pipe's records are held: SHA-256("panpipe/key" ‖ ID).
// Whoever learns the key alone does not learn the ID.
func (id ID) Key() wire.Key {
	return sha256.Sum256(append([]byte(keyPrefix), id.Bytes()...))
}

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID, and an empty text is the zero ID.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}
