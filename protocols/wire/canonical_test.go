package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func sample() []byte {
	var b Builder
	return b.String(1, "name").Uint(2, 300).Bytes(3, []byte{0, 1}).
		List(4, [][]byte{{1}, {2, 3}}).Uint(5, 0).Bytes(CriticalBelow, []byte("x")).Build()
}

func TestFieldsComeBackAsBuilt(t *testing.T) {
	f, err := ParseFields(sample())
	if err != nil {
		t.Fatal(err)
	}
	list := f.List(4, 2, 2)
	if f.String(1, 4) != "name" || f.Uint(2, 300) != 300 || !bytes.Equal(f.Bytes(3, 2), []byte{0, 1}) ||
		len(list) != 2 || !bytes.Equal(list[1], []byte{2, 3}) || f.Uint(5, 1) != 0 {
		t.Error("a field has another value")
	}
	if err := f.Done(); err != nil {
		t.Error(err)
	}
}

func TestUnknownCriticalFieldIsUnsupported(t *testing.T) {
	f, _ := ParseFields(sample())
	f.Bytes(1, 99)
	if err := f.Done(); !errors.Is(err, Unsupported) {
		t.Errorf("got %v", err)
	}
	var b Builder
	f, _ = ParseFields(b.Uint(CriticalBelow, 7).Build())
	if err := f.Done(); err != nil {
		t.Errorf("uncritical field refused: %v", err)
	}
}

func TestFieldValuesAreCappedAndChecked(t *testing.T) {
	var b Builder
	raw := b.Bytes(1, []byte("long")).Bytes(2, []byte{0}).Bytes(3, []byte{0x80, 0}).Bytes(4, []byte{1, 1}).Uint(5, 9).
		Bytes(6, []byte{0xff}).Bytes(7, []byte{0}).Bytes(8, []byte{2, 1}).List(9, [][]byte{{1}, {2}}).
		Bytes(10, bytes.Repeat([]byte{0xff}, 11)).Build()
	for _, c := range []struct {
		name string
		get  func(*Fields)
		want Code
	}{
		{"bytes above their cap", func(f *Fields) { f.Bytes(1, 3) }, TooLarge},
		{"zero written out", func(f *Fields) { f.Uint(2, 9) }, BadRequest},
		{"number in more bytes than needed", func(f *Fields) { f.Uint(3, 9) }, BadRequest},
		{"bytes behind a number", func(f *Fields) { f.Uint(4, 9) }, BadRequest},
		{"number above its cap", func(f *Fields) { f.Uint(5, 8) }, BadRequest},
		{"text that is not UTF-8", func(f *Fields) { f.String(6, 9) }, BadRequest},
		{"empty item", func(f *Fields) { f.List(7, 9, 9) }, BadRequest},
		{"item past the end", func(f *Fields) { f.List(8, 9, 9) }, BadRequest},
		{"too many items", func(f *Fields) { f.List(9, 1, 9) }, TooLarge},
		{"item above its cap", func(f *Fields) { f.List(9, 2, 0) }, TooLarge},
		{"number of more than 64 bits", func(f *Fields) { f.Uint(10, 1<<64-1) }, TooLarge},
		{"fault that the caller found", func(f *Fields) { f.Fail(Forbidden) }, Forbidden},
	} {
		f, err := ParseFields(raw)
		if err != nil {
			t.Fatal(err)
		}
		c.get(f)
		f.Fail(Internal) // the first fault stays
		if got := CodeOf(f.Done()); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTooManyFieldsAreRefused(t *testing.T) {
	var b Builder
	for n := range uint64(MaxFields) {
		b.Uint(n+1, 1)
	}
	if _, err := ParseFields(b.Build()); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseFields(b.Uint(MaxFields+1, 1).Build()); !errors.Is(err, TooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestBuilderPanicsOnACallersBug(t *testing.T) {
	for name, f := range map[string]func(){
		"number zero":     func() { new(Builder).Uint(0, 1) },
		"repeated number": func() { new(Builder).Uint(3, 0).Uint(3, 1) },
		"falling number":  func() { new(Builder).Uint(3, 1).Bytes(2, nil) },
		"empty item":      func() { new(Builder).List(1, [][]byte{{1}, {}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// A record may end after any field, so a prefix that ends there is a shorter
// record; which fields are needed is the record's own rule.
func TestEveryTruncatedRecordIsRefused(t *testing.T) {
	raw := sample()
	whole, _ := ParseFields(raw)
	var ends []int
	for i := range whole.num {
		ends = append(ends, len(rebuild(&Fields{num: whole.num[:i], val: whole.val[:i]})))
	}
	for n := range raw {
		f, err := ParseFields(raw[:n])
		switch atEnd := slices.Index(ends, n); {
		case atEnd < 0 && !errors.Is(err, BadRequest):
			t.Errorf("prefix of %d bytes: %v", n, err)
		case atEnd >= 0 && (err != nil || len(f.num) != atEnd):
			t.Errorf("prefix of %d bytes should hold %d fields: %v", n, atEnd, err)
		}
	}
}

func TestParserTakesWhatBuilderMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nums := rapid.SliceOfNDistinct(rapid.Uint64Min(1), 0, MaxFields, rapid.ID).Draw(t, "numbers")
		slices.Sort(nums)
		var b Builder
		checks := make([]func(*Fields) bool, 0, len(nums))
		for _, n := range nums {
			checks = append(checks, drawField(t, &b, n))
		}
		f, err := ParseFields(b.Build())
		if err != nil {
			t.Fatal(err)
		}
		for i, check := range checks {
			if !check(f) {
				t.Fatalf("field %d came back otherwise", nums[i])
			}
		}
		if err := f.Done(); err != nil {
			t.Fatal(err)
		}
	})
}

// drawField appends a field of any kind and returns a check of what is read.
func drawField(t *rapid.T, b *Builder, n uint64) func(*Fields) bool {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		v := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		b.Bytes(n, v)
		return func(f *Fields) bool { return bytes.Equal(f.Bytes(n, len(v)), v) }
	case 1:
		v := rapid.String().Draw(t, "text")
		b.String(n, v)
		return func(f *Fields) bool { return f.String(n, len(v)) == v }
	case 2:
		v := rapid.Uint64().Draw(t, "number")
		b.Uint(n, v)
		return func(f *Fields) bool { return f.Uint(n, max(v, 1)) == v }
	}
	v := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 9)).Draw(t, "list")
	b.List(n, v)
	return func(f *Fields) bool { return slices.EqualFunc(f.List(n, len(v), 9), v, bytes.Equal) }
}

// FuzzParseFields: whatever the parser takes, a Builder would have written.
func FuzzParseFields(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(sample())
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 0x81, 0, 7})
	f.Add([]byte{1, 2, 0x80, 0})
	f.Add([]byte{2, 1, 7, 1, 1, 7})
	f.Add(append(binary.AppendUvarint(nil, 1<<64-1), 1, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fields, err := ParseFields(raw)
		if err != nil {
			if CodeOf(err) != BadRequest && CodeOf(err) != TooLarge {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		if !bytes.Equal(rebuild(fields), raw) {
			t.Fatalf("%x is not the encoding of its fields", raw)
		}
		for _, n := range fields.num {
			checkValue(t, raw, n)
		}
	})
}

// checkValue reads field n as each kind; where that works, writing it again
// gives the same bytes.
func checkValue(t *testing.T, raw []byte, n uint64) {
	t.Helper()
	f, _ := ParseFields(raw)
	want := f.Bytes(n, len(raw))
	if v := f.Uint(n, 1<<64-1); f.err == nil && !bytes.Equal(binary.AppendUvarint(nil, v), want) {
		t.Fatalf("number in %x has two encodings", want)
	}
	f.err = nil
	if items := f.List(n, len(raw), len(raw)); f.err == nil {
		var b Builder
		again, _ := ParseFields(b.List(n, items).Build())
		if !bytes.Equal(again.Bytes(n, len(raw)), want) {
			t.Fatalf("list in %x has two encodings", want)
		}
	}
}

func rebuild(f *Fields) []byte {
	var b Builder
	for i, n := range f.num {
		b.Bytes(n, f.val[i])
	}
	return b.Build()
}
