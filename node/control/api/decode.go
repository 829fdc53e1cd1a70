package api

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxBody caps the JSON body of a request, in bytes. The largest is the recovery
// file of an account with very many buddies.
const MaxBody = 4 << 20

// Decode reads one JSON value from r into v. Unknown fields and anything after
// the value are wire.BadRequest; more than MaxBody bytes are wire.TooLarge. An
// empty body leaves v as it is.
func Decode(r io.Reader, v any) error {
	limited := &io.LimitedReader{R: r, N: MaxBody + 1}
	dec := json.NewDecoder(limited)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if limited.N <= 0 {
		return wire.Errorf(wire.TooLarge, "the body is larger than %d bytes", MaxBody)
	}
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return wire.Errorf(wire.BadRequest, "the body is not what the route takes: %s", plainJSONError(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return wire.Errorf(wire.BadRequest, "the body goes on after its JSON value")
	}
	if limited.N <= 0 {
		return wire.Errorf(wire.TooLarge, "the body is larger than %d bytes", MaxBody)
	}
	return nil
}

// plainJSONError takes Go's own words out of a decoding error.
func plainJSONError(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		what := "field " + strconv.Quote(typ.Field)
		if typ.Field == "" {
			what = "the body"
		}
		return what + " cannot be " + article(typ.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// article is a JSON type in a sentence.
func article(kind string) string {
	kind, _, _ = strings.Cut(kind, " ") // "number 3"
	if kind == "array" || kind == "object" {
		return "an " + kind
	}
	return "a " + kind
}
