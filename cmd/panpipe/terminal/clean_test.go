package terminal

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestForeignTextObeysNobody(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"plain", "hello, wörld", "hello, wörld"},
		{"colour", "\x1b[31mred\x1b[0m", "␛[31mred␛[0m"},
		{"window title", "\x1b]0;owned\x07", "␛]0;owned␇"},
		{"answer as if typed", "\x1b[5n\x1bZ", "␛[5n␛Z"},
		{"sequence begun by one byte of C1", "a\u009b31mb", "a�31mb"},
		{"that byte alone, not UTF-8", "a\x9b31mb", "a�31mb"},
		{"overwriting what stands in front", "harmless\rrm -rf", "harmless␍rm -rf"},
		{"backspaces", "abc\b\b\bxyz", "abc␈␈␈xyz"},
		{"delete and nul", "\x7f\x00", "␡␀"},
		{"bell", "\a", "␇"},
		{"lines of Windows", "a\r\nb", "a\nb"},
		{"lines of Unicode", "a\u2028b\u2029c", "a\nb\nc"},
		{"next line of C1", "a\u0085b", "a�b"},
		{"tab", "a\tb", "a    b"},
		{"override of direction", "evil\u202egpj.exe", "evilgpj.exe"},
		{"isolates and embeddings", "\u2066a\u2069\u202ab\u202c", "ab"},
		{"invisible", "a\u200bb\ufeffc\u00add\u2060e", "abcde"},
		{"tags", "x\U000e0041\U000e007fy", "xy"},
		{"joiners that spell", "نمی\u200cخواهم", "نمی\u200cخواهم"},
		{"emoji of several", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		{"mark with nothing to sit on", "\u0301x\n\u0301", "\u25cc\u0301x\n\u25cc\u0301"},
		{"accent of two runes", "e\u0301", "e\u0301"},
		{"noncharacter", "a\uffffb", "a�b"},
		{"half a character", "a\xe2\x82", "a��"},
		{"replacement character itself", "\ufffd", "�"},
		{"empty", "", ""},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

func TestMarksDoNotPile(t *testing.T) {
	got := Text("z" + strings.Repeat("\u0335", 500) + "a" + strings.Repeat("\u0301", 3))
	if n := strings.Count(got, "\u0335"); n != maxMarks {
		t.Errorf("%d marks on one letter, want %d", n, maxMarks)
	}
	if n := strings.Count(got, "\u0301"); n != 3 {
		t.Errorf("%d marks on the next, want 3", n)
	}
	if got := Text("a" + strings.Repeat("\u200d\u0301", 100)); len([]rune(got)) > 1+maxMarks {
		t.Errorf("%d runes in one character", len([]rune(got)))
	}
}

func TestNamesAreOneLineAndVisible(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"plain", "Bob", "Bob"},
		{"lines and spaces", " Bob\n  \t Smith\r", "Bob Smith"},
		{"all kinds of spaces", "Bob\u00a0\u3000Smith", "Bob Smith"},
		{"directions", "\u200fBob\u202e", "Bob"},
		{"nothing", "\u200b\u3164\u2800 \ufeff", ""},
		{"joiners alone", "\u200d\u200c", ""},
		{"escape", "\x1b[2JBob", "␛[2JBob"},
		{"long", strings.Repeat("x", 100), strings.Repeat("x", maxName-1) + ellipsis},
		{"long and wide", strings.Repeat("語", 100), strings.Repeat("語", (maxName-1)/2) + ellipsis},
	} {
		if got := Name(c.in); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

func FuzzForeignText(f *testing.F) {
	for _, s := range []string{"", "a\x1b[31m", "\u202e", "\xff\xfe", "e\u0301", "👩\u200d👧", "\u0301\n\u0301", "a\tb\r\nc\u2028d", "\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q became %q, which is not UTF-8", s, got)
		}
		for _, r := range got {
			if r != '\n' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
				t.Fatalf("%q became %q, with %U", s, got, r)
			}
		}
		if again := Text(got); again != got {
			t.Fatalf("%q became %q, and that %q", s, got, again)
		}
		name := Name(s)
		if strings.Contains(name, "\n") || Width(name) > maxName {
			t.Fatalf("%q became the name %q", s, name)
		}
	})
}
