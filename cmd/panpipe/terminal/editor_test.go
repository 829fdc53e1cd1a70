package terminal

import (
	"slices"
	"strings"
	"testing"
)

// press has an editor take what a terminal sends.
func press(e *Editor, sent string) {
	var k Keys
	for _, key := range k.Feed([]byte(sent)) {
		e.Key(key)
	}
}

func TestEditorMovesByCharacters(t *testing.T) {
	const left, right, home, end, del = "\x1b[D", "\x1b[C", "\x01", "\x05", "\x1b[3~"
	for _, c := range []struct{ what, keys, want string }{
		{"typing", "grüße", "grüße|"},
		{"erasing bytes of one character", "grü\x7f", "gr|"},
		{"erasing a wide one", "日本\x7f", "日|"},
		{"erasing an accent with its letter", "cafe\u0301\x7f", "caf|"},
		{"erasing a family", "a👩\u200d👩\u200d👧\x7f", "a|"},
		{"erasing a skin", "👍🏽\x7f", "|"},
		{"erasing a flag", "🇩🇪🇫🇷\x7f", "🇩🇪|"},
		{"erasing nothing", "\x7f\x7f", "|"},
		{"moving over a wide one", "a日b" + left + left, "a|日b"},
		{"inserting between", "a日b" + left + left + "x", "ax|日b"},
		{"deleting", "a日b" + left + left + del, "a|b"},
		{"beginning and end", "abc" + home + "x" + end + "y", "xabcy|"},
		{"beyond the ends", "a" + right + right + left + left + left, "|a"},
		{"an accent with nothing before it", "\u0301", "\u25cc\u0301|"},
		{"an accent before another letter", "ax" + left + "\u0301", "a\u0301|x"},
		{"words", "one two" + "\x1bb", "one |two"},
		{"words from the beginning", "one two" + home + "\x1bf", "one| two"},
		{"erasing a word", "one two\x17", "one |"},
		{"erasing a word and what is behind it", "one two -- \x17", "one |"},
		{"erasing to the left", "one two" + left + "\x15", "|o"},
		{"erasing to the right", "one two" + home + right + "\x0b", "o|"},
		{"lines", "one\x1b\rtwo", "one\ntwo|"},
		{"beginning of a line", "one\x1b\rtwo" + home, "one\n|two"},
		{"end of a line", "one\x1b\rtwo" + home + left + home + end, "one|\ntwo"},
		{"pasting", "a\x1b[200~b\r\nc\x1b[31m\td\x1b[201~e", "ab\nc␛[31m    de|"},
	} {
		var e Editor
		press(&e, c.keys)
		if got := e.text[:e.at] + "|" + e.text[e.at:]; got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestEditorKeepsItsLimit(t *testing.T) {
	e := Editor{Limit: 5}
	if !e.Key(typed("abc")) || e.Key(typed("日")) || !e.Key(typed("de")) || e.Key(Key{Code: NewLine}) {
		t.Errorf("%q", e.Text())
	}
	if e.Text() != "abcde" {
		t.Errorf("%q", e.Text())
	}
}

func TestEditorShowsWhereTheCursorIs(t *testing.T) {
	for _, c := range []struct {
		what, keys      string
		columns, height int
		rows            []string
		row, column     int
	}{
		{"empty", "", 10, 3, []string{""}, 0, 0},
		{"one row", "日本", 10, 3, []string{"日本"}, 0, 4},
		{"inside", "日本\x1b[D", 10, 3, []string{"日本"}, 0, 2},
		{"broken", "abcdef", 4, 3, []string{"abc", "def"}, 1, 3},
		{"broken before a wide one", "ab日", 4, 3, []string{"ab", "日"}, 1, 2},
		{"lines", "a\x1b\r\x1b\rb", 10, 5, []string{"a", "", "b"}, 2, 1},
		{"at the end of a line", "a\x1b\rb\x1b[D\x1b[D", 10, 5, []string{"a", "b"}, 0, 1},
		{"higher than there is room", "a\x1b\rb\x1b\rc\x1b\rd", 10, 2, []string{"c", "d"}, 1, 1},
		{"and back at its beginning", "a\x1b\rb\x1b\rc\x01\x1b[D\x1b[D\x1b[D\x1b[D", 10, 2, []string{"a", "b"}, 0, 0},
		{"narrower than a character", "日本", 1, 5, []string{"日", "本"}, 1, 2},
	} {
		var e Editor
		press(&e, c.keys)
		rows, row, column := e.Rows(c.columns, c.height)
		if !slices.Equal(rows, c.rows) || row != c.row || column != c.column {
			t.Errorf("%s: %q and cursor %d,%d, want %q and %d,%d", c.what, rows, row, column, c.rows, c.row, c.column)
		}
	}
}

func FuzzEditor(f *testing.F) {
	f.Add("a\x1b[D日\x7f\u0301\x1bb", 5, 2)
	f.Fuzz(func(t *testing.T, keys string, columns, height int) {
		e := Editor{Limit: 1000}
		press(&e, keys)
		columns, height = columns%50, height%10
		rows, row, column := e.Rows(columns, height)
		if row < 0 || row >= len(rows) || column < 0 || column >= max(columns, 3) {
			t.Fatalf("cursor %d,%d in %q", row, column, rows)
		}
		if height > 0 && len(rows) > height {
			t.Fatalf("%d rows, room for %d", len(rows), height)
		}
		if len(e.Text()) > e.Limit || e.at > len(e.Text()) {
			t.Fatalf("%d bytes, cursor at %d", len(e.Text()), e.at)
		}
		if e.boundary(e.at) != e.at {
			t.Fatalf("the cursor is at byte %d, inside a character of %q", e.at, strings.ToValidUTF8(e.Text(), "?"))
		}
	})
}
