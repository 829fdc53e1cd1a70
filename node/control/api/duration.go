package api

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Duration is a time span that is written as text: "30s", "1h30m". It is never
// negative.
type Duration time.Duration

// MarshalText writes the span as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a span; a negative or malformed one is wire.BadRequest.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return wire.Errorf(wire.BadRequest, "%q is not a duration", text).WithNext("write it like 30s, 5m or 1h30m")
	}
	*d = Duration(v)
	return nil
}
