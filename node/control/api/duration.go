package api

import (
	"strconv"
	"strings"
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
		bad := wire.Errorf(wire.BadRequest, "%q is not a duration", text).WithNext("write it like 30s, 5m or 1h30m")
		if days, isDays := strings.CutSuffix(string(text), "d"); isDays {
			if n, err := strconv.ParseUint(days, 10, 16); err == nil {
				bad = wire.Errorf(wire.BadRequest, "%q is not a duration: there are no days; write %dh", text, 24*n).WithNext("write %dh", 24*n)
			}
		}
		return bad
	}
	*d = Duration(v)
	return nil
}
