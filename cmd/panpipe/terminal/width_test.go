package terminal

import (
	"slices"
	"strings"
	"testing"
)

func TestWidthIsInColumns(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "한": 2, "👍": 2, "👍🏽": 2, "👩\u200d👩\u200d👧": 2, "🇩🇪": 2, "ｱ": 1, "Ａ": 2, "❤\ufe0f": 2,
	} {
		if got := Width(s); got != want {
			t.Errorf("%q is %d columns wide, want %d", s, got, want)
		}
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"a\u0301b\u0301c", 2, "a\u0301…"},
	} {
		if got := Cut(c.in, c.columns); got != c.want || Width(got) > c.columns {
			t.Errorf("%q cut to %d columns is %q, want %q", c.in, c.columns, got, c.want)
		}
	}
}

func TestWrapBreaksAtSpacesWhereItCan(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    []string
	}{
		{"", 10, []string{""}},
		{"one two", 7, []string{"one two"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"incomprehensible", 5, []string{"incom", "prehe", "nsibl", "e"}},
		{"a incomprehensible", 6, []string{"a", "incomp", "rehens", "ible"}},
		{"one\n\ntwo", 10, []string{"one", "", "two"}},
		{"日本語日本語", 5, []string{"日本", "語日", "本語"}},
		{"ab日本", 3, []string{"ab", "日", "本"}},
		{"日", 1, []string{"日"}},
		{"  indented", 10, []string{"  indented"}},
		{"trailing  ", 8, []string{"trailing", " "}},
	} {
		if got := Wrap(c.in, c.columns); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns is %q, want %q", c.in, c.columns, got, c.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two", 5)
	f.Add("日本語 a", 3)
	f.Add("\n\n", 2)
	f.Fuzz(func(t *testing.T, s string, columns int) {
		s, columns = Text(s), columns%200
		rows := Wrap(s, columns)
		for _, row := range rows {
			if w := Width(row); w > max(columns, 2) && len(row) > 0 && !single(row) {
				t.Fatalf("row %q of %q is %d columns wide, want %d", row, s, w, columns)
			}
		}
		if bare := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }; bare(strings.Join(rows, "")) != bare(s) {
			t.Fatalf("%q became %q", s, rows)
		}
	})
}

// single reports that s is one character, which may be wider than any row.
func single(s string) bool {
	n := 0
	for range clusters(s) {
		n++
	}
	return n == 1
}
