package wire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// CriticalBelow is the first field number that a reader may ignore when it
// does not know it. Unknown fields below it are Unsupported.
const CriticalBelow = 1000

// MaxFields caps the fields of one canonical record.
const MaxFields = 64

// Builder makes canonical bytes: fields in rising order of their numbers, each
// uvarint number ‖ uvarint length ‖ value, zero values left out. The zero
// Builder is ready for use.
type Builder struct {
	b    []byte
	last uint64
}

// Bytes appends field num. An empty value is left out. Numbers must rise from
// 1; a caller that breaks this has a bug, and Bytes panics.
func (e *Builder) Bytes(num uint64, v []byte) *Builder {
	if num <= e.last {
		panic("wire: canonical fields must rise")
	}
	e.last = num
	if len(v) == 0 {
		return e
	}
	e.b = binary.AppendUvarint(e.b, num)
	e.b = binary.AppendUvarint(e.b, uint64(len(v)))
	e.b = append(e.b, v...)
	return e
}

// String appends a text field. Readers refuse text that is not UTF-8, so the
// caller checks v first where it comes from outside.
func (e *Builder) String(num uint64, v string) *Builder { return e.Bytes(num, []byte(v)) }

// Uint appends a number as a minimal uvarint. Zero is left out.
func (e *Builder) Uint(num, v uint64) *Builder {
	if v == 0 {
		return e.Bytes(num, nil)
	}
	return e.Bytes(num, binary.AppendUvarint(nil, v))
}

// List appends a list: each item as uvarint length ‖ bytes. An empty list is
// left out; an empty item is not allowed, and List panics on one.
func (e *Builder) List(num uint64, items [][]byte) *Builder {
	var b []byte
	for _, it := range items {
		if len(it) == 0 {
			panic("wire: empty item in canonical list")
		}
		b = binary.AppendUvarint(b, uint64(len(it)))
		b = append(b, it...)
	}
	return e.Bytes(num, b)
}

// Build returns the canonical bytes, nil when every field was left out.
func (e *Builder) Build() []byte { return e.b }

// Fields is a parsed canonical record. Getters take each field once; the first
// thing that breaks the format is kept and told by Done.
type Fields struct {
	num  []uint64
	val  [][]byte
	seen []bool
	err  error
}

// ParseFields reads canonical bytes. It refuses, as BadRequest, whatever a
// Builder would not have made: fields out of order, empty values, lengths past
// the end, uvarints that are not minimal. Values alias b.
func ParseFields(b []byte) (*Fields, error) {
	f := &Fields{}
	last := uint64(0)
	for len(b) > 0 {
		num, rest, ok := uvarint(b)
		if !ok || num <= last {
			return nil, Errorf(BadRequest, "canonical bytes: bad field number after field %d", last)
		}
		size, rest, ok := uvarint(rest)
		if !ok || size == 0 || size > uint64(len(rest)) {
			return nil, Errorf(BadRequest, "canonical bytes: bad length of field %d", num)
		}
		if len(f.num) == MaxFields {
			return nil, Errorf(TooLarge, "canonical bytes: more than %d fields", MaxFields)
		}
		f.num = append(f.num, num)
		f.val = append(f.val, rest[:size:size])
		last, b = num, rest[size:]
	}
	f.seen = make([]bool, len(f.num))
	return f, nil
}

// Bytes returns field num, nil if absent. More than limit bytes is TooLarge.
func (f *Fields) Bytes(num uint64, limit int) []byte {
	for i, n := range f.num {
		if n != num {
			continue
		}
		f.seen[i] = true
		if len(f.val[i]) > limit {
			f.fail(Errorf(TooLarge, "field %d: %d bytes, at most %d", num, len(f.val[i]), limit))
			return nil
		}
		return f.val[i]
	}
	return nil
}

// String returns a text field of at most limit bytes. Text that is not UTF-8 is
// BadRequest.
func (f *Fields) String(num uint64, limit int) string {
	b := f.Bytes(num, limit)
	if !utf8.Valid(b) {
		f.fail(Errorf(BadRequest, "field %d: text is not UTF-8", num))
		return ""
	}
	return string(b)
}

// Uint returns a number, 0 if absent. More than limit is BadRequest.
func (f *Fields) Uint(num, limit uint64) uint64 {
	b := f.Bytes(num, binary.MaxVarintLen64)
	if b == nil {
		return 0
	}
	v, rest, ok := uvarint(b)
	if !ok || len(rest) != 0 || v == 0 || v > limit {
		f.fail(Errorf(BadRequest, "field %d: bad number", num))
		return 0
	}
	return v
}

// List returns the items of a list field, at most count of at most limit bytes.
func (f *Fields) List(num uint64, count, limit int) [][]byte {
	b := f.Bytes(num, math.MaxInt32)
	var items [][]byte
	for len(b) > 0 {
		size, rest, ok := uvarint(b)
		if !ok || size == 0 || size > uint64(len(rest)) {
			f.fail(Errorf(BadRequest, "field %d: bad list", num))
			return nil
		}
		if len(items) == count || size > uint64(limit) {
			f.fail(Errorf(TooLarge, "field %d: at most %d items of %d bytes", num, count, limit))
			return nil
		}
		items = append(items, rest[:size:size])
		b = rest[size:]
	}
	return items
}

// Fail notes a fault that the caller found in a field's value.
func (f *Fields) Fail(err error) { f.fail(err) }

// Done returns the first fault, and Unsupported for a critical field that no
// getter asked for.
func (f *Fields) Done() error {
	if f.err != nil {
		return f.err
	}
	for i, n := range f.num {
		if !f.seen[i] && n < CriticalBelow {
			return Errorf(Unsupported, "field %d is unknown to this version and critical", n)
		}
	}
	return nil
}

func (f *Fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// uvarint reads a minimal uvarint.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) {
		return 0, nil, false
	}
	return v, b[n:], true
}
