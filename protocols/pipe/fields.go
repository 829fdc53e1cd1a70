package pipe

import (
	"bytes"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxMillis is the last millisecond of the year 9999: what comes later has no
// text form in RFC 3339.
const maxMillis = 253402300799999

// principalField reads a principal, which must be there.
func principalField(f *wire.Fields, num uint64) identity.Principal {
	b := f.Bytes(num, identity.MaxPrincipal)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d: %w", num, err))
	}
	return p
}

// idField reads a pipe ID, which must be there.
func idField(f *wire.Fields, num uint64) ID {
	id, err := IDFromBytes(f.Bytes(num, IDSize))
	if err != nil {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d: %w", num, err))
	}
	return id
}

// timeField reads Unix milliseconds, which must be there.
func timeField(f *wire.Fields, num uint64) time.Time {
	ms := f.Uint(num, maxMillis)
	if ms == 0 {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d: a time is needed", num))
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// millis is the wire form of a time; 0, which no reader takes, if it has none.
func millis(t time.Time) uint64 {
	if ms := t.UnixMilli(); ms > 0 && ms <= maxMillis {
		return uint64(ms)
	}
	return 0
}

// canonical refuses bytes that say the same as known in other words: anything
// but known itself with ignorable fields behind it.
func canonical(b, known []byte) error {
	if !bytes.HasPrefix(b, known) {
		return wire.Errorf(wire.BadRequest, "not in canonical form")
	}
	return nil
}
