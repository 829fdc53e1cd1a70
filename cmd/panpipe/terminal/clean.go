package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMarks is how many marks in a row one character may carry. Scripts need
	// four or so.
	maxMarks = 8
	// maxName caps a name, in columns.
	maxName = 40

	tab      = "    "
	ellipsis = "…"
)

// Text makes foreign text fit to be shown. Lines end in '\n', and a tab is four
// spaces; other control characters are shown by their pictures, what is not UTF-8
// by U+FFFD. Controls of direction that reach beyond a character, and what is
// invisible and joins nothing, are left out.
func Text(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	b.Grow(len(s))
	c := cleaner{bare: true}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				c.bare, c.marks = false, 0
				b.WriteRune(r)
				continue
			}
		}
		c.write(&b, r)
	}
	return b.String()
}

// cleaner is where Text stands.
type cleaner struct {
	bare  bool // nothing on this line yet that a mark could sit on
	marks int  // in a row
}

func (c *cleaner) write(b *strings.Builder, r rune) {
	switch {
	case r == '\n' || r == '\u2028' || r == '\u2029':
		b.WriteByte('\n')
		c.bare, c.marks = true, 0
		return
	case r == '\t':
		b.WriteString(tab)
	case joins(r):
		if c.marks++; c.bare || c.marks > maxMarks {
			return
		}
		b.WriteRune(r)
		return
	case unicode.Is(unicode.M, r):
		if c.marks++; c.marks > maxMarks {
			return
		}
		if c.bare {
			b.WriteRune('\u25cc') // the circle that Unicode shows marks on
		}
		b.WriteRune(r)
		c.bare = false
		return
	case r < ' ':
		b.WriteRune('\u2400' + r)
	case r == 0x7f:
		b.WriteRune('\u2421')
	case unicode.IsControl(r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		b.WriteRune(utf8.RuneError)
	case unicode.Is(unicode.Cf, r):
		return
	default:
		b.WriteRune(r)
	}
	c.bare, c.marks = false, 0
}

// joins reports the invisible characters that spelling needs: joiners, and the
// marks of direction, which stand for one character.
func joins(r rune) bool {
	switch r {
	case '\u200c', '\u200d', '\u200e', '\u200f', '\u061c':
		return true
	}
	return false
}

// Name makes a foreign name fit to stand in a line of other text: one line,
// without marks of direction and blank letters, at most 40 columns wide. It is
// empty where nothing is left to be seen.
func Name(s string) string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r), blank(r):
			return -1
		case r == '\n' || r == '\r' || unicode.IsSpace(r):
			return ' '
		}
		return r
	}, s)
	visible = strings.Join(strings.Fields(Text(visible)), " ")
	if Width(visible) == 0 {
		return ""
	}
	return Cut(visible, maxName)
}

// blank reports letters that are shown as nothing.
func blank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return false
}
