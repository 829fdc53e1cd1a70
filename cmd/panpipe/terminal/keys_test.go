package terminal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func typed(s string) Key { return Key{Typed, s} }

func TestKeysAreWhatTerminalsSend(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []Key
	}{
		{"hello", []Key{typed("hello")}},
		{"grüß 日本 👍🏽", []Key{typed("grüß 日本 👍🏽")}},
		{"a\rb\n", []Key{typed("a"), {Code: Enter}, typed("b"), {Code: Enter}}},
		{"\x1b\ra", []Key{{Code: NewLine}, typed("a")}},
		{"\x7f\x08", []Key{{Code: Erase}, {Code: Erase}}},
		{"\x1b[A\x1b[B\x1b[C\x1b[D", []Key{{Code: Up}, {Code: Down}, {Code: Right}, {Code: Left}}},
		{"\x1bOA\x1bOH\x1bOF", []Key{{Code: Up}, {Code: Home}, {Code: End}}},
		{"\x1b[3~\x1b[5~\x1b[6~\x1b[1~\x1b[4~", []Key{{Code: Delete}, {Code: PageUp}, {Code: PageDown}, {Code: Home}, {Code: End}}},
		{"\x1b[1;5D\x1b[1;5C\x1b[1;3C\x1bb\x1bf", []Key{{Code: WordLeft}, {Code: WordRight}, {Code: WordRight}, {Code: WordLeft}, {Code: WordRight}}},
		{"\x01\x05\x0b\x15\x17\x03\x04\x0c", []Key{{Code: Home}, {Code: End}, {Code: EraseRight}, {Code: EraseLeft}, {Code: EraseWord}, {Code: Interrupt}, {Code: EndInput}, {Code: Redraw}}},
		{"\x1b[I\x1b[O", []Key{{Code: FocusIn}, {Code: FocusOut}}},
		{"\x1b[200~one\r\ntwo\x03\x1b[31mx\x1b[201~y", []Key{{Pasted, "one\ntwo\x03\x1b[31mx"}, typed("y")}},
		{"\x1b[99;99~\x1b[<0;1;2Mx", []Key{typed("x")}},       // keys and clicks of which nothing is known
		{"\x1b\x1b[Ax", []Key{{Code: Up}, typed("x")}},        // the escape key first
		{"\x00\x1c\x1d\x1e\x1fx", []Key{typed("x")}},          // controls that do nothing
		{"a\xff\xfeb", []Key{typed("ab")}},                    // no UTF-8
		{"a\tb", []Key{typed("a\tb")}},                        // a tab is text
		{"\x1b[12\x01x", []Key{{Code: Home}, typed("x")}},     // a sequence that is cut off
		{"\x1bxy", []Key{typed("y")}},                         // Alt-x does nothing
		{"\x1b[200~\xff\x1b[201~", []Key{{Pasted, "\ufffd"}}}, // as above
	} {
		var k Keys
		if got := k.Feed([]byte(c.in)); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
		k = Keys{}
		var got []Key
		for _, b := range []byte(c.in) {
			got = append(got, k.Feed([]byte{b})...)
		}
		if join(got) != join(c.want) {
			t.Errorf("%q byte by byte: %v, want %v", c.in, got, c.want)
		}
	}
}

// join writes keys so that it does not matter how typed text is divided.
func join(keys []Key) string {
	var b strings.Builder
	for _, k := range keys {
		if k.Code == Typed {
			b.WriteString(k.Text)
			continue
		}
		fmt.Fprintf(&b, "<%d %q>", k.Code, k.Text)
	}
	return b.String()
}

func TestKeysStayBounded(t *testing.T) {
	var k Keys
	k.Feed([]byte("\x1b["))
	for range 10_000 {
		k.Feed([]byte("1;1;1;1;"))
	}
	if len(k.rest) > maxSequence {
		t.Errorf("%d bytes wait for the end of a sequence", len(k.rest))
	}
	k = Keys{}
	k.Feed([]byte(pasteBegin))
	for range 300 {
		k.Feed([]byte(strings.Repeat("x", 10_000)))
	}
	if keys := k.Feed([]byte(pasteEnd)); len(keys) != 1 || len(keys[0].Text) != maxPaste {
		t.Errorf("%d keys", len(keys))
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("a\x1b[200~b\x1b[201~\x1b[A\xff日"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var whole, parts Keys
		want := whole.Feed(b)
		cut = min(max(cut, 0), len(b))
		got := append(parts.Feed(b[:cut]), parts.Feed(b[cut:])...)
		if len(b) < maxSequence && join(got) != join(want) {
			t.Fatalf("%q: %v, cut after %d bytes: %v", b, want, cut, got)
		}
	})
}
