package replica

import (
	"encoding/binary"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxMarks caps the marks of one entry.
const MaxMarks = 32

// Mark stands for all entries of an author up to a counter.
type Mark struct {
	Author  Author
	Counter uint64
}

// Marked is a mark and who made it.
type Marked struct {
	Reader Author
	Kind   Kind // Delivered or Read
	Mark
}

// Highest returns up to where the devices that has names have marked the log of
// every author: together, what their account has read or received.
func Highest(marks []Marked, kind Kind, has func(device identity.Principal) bool) map[Author]uint64 {
	high := map[Author]uint64{}
	for _, m := range marks {
		if m.Kind == kind && has(m.Reader.Device) {
			high[m.Author] = max(high[m.Author], m.Counter)
		}
	}
	return high
}

// AppendMarks appends the body of an entry of kind Delivered or Read.
func AppendMarks(b []byte, marks []Mark) []byte {
	for _, m := range marks {
		b = appendAuthor(b, m.Author)
		b = binary.AppendUvarint(b, m.Counter)
	}
	return b
}

// ParseMarks reads what AppendMarks made of 1 to MaxMarks marks. Its errors are
// BadRequest and TooLarge.
func ParseMarks(b []byte) ([]Mark, error) {
	var marks []Mark
	for p := (parser{b: b}); len(p.b) > 0; {
		m := Mark{Author: p.author(), Counter: p.uint(MaxCounter)}
		if p.bad || m.Counter == 0 {
			return nil, wire.Errorf(wire.BadRequest, "mark %d does not parse", len(marks)+1)
		}
		if len(marks) == MaxMarks {
			return nil, wire.Errorf(wire.TooLarge, "more than %d marks", MaxMarks)
		}
		marks = append(marks, m)
	}
	if len(marks) == 0 {
		return nil, wire.Errorf(wire.BadRequest, "no marks")
	}
	return marks, nil
}
