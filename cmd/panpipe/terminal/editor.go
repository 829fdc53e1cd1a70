package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Editor is a text that is being typed, and the place of the cursor in it. The
// zero Editor is empty and has no limit.
type Editor struct {
	// Limit caps the text, in bytes; zero: no cap.
	Limit int

	text string
	at   int // in bytes, between two characters
}

// Text is what has been typed.
func (e *Editor) Text() string { return e.text }

// Set replaces the text; the cursor is at its end.
func (e *Editor) Set(text string) { e.text, e.at = text, len(text) }

// Key does what a key says. Taken is false for keys that are none of editing,
// and for text that would exceed the limit, of which nothing is inserted.
func (e *Editor) Key(k Key) (taken bool) {
	switch k.Code {
	case Typed, Pasted:
		return e.insert(e.clean(k.Text))
	case NewLine:
		return e.insert("\n")
	case Left:
		e.at = e.before(e.at)
	case Right:
		e.at = e.after(e.at)
	case WordLeft:
		e.at = e.wordBefore()
	case WordRight:
		e.at = e.wordAfter()
	case Home:
		e.at = e.lineStart()
	case End:
		e.at = e.lineEnd()
	case Erase:
		e.cut(e.before(e.at), e.at)
	case Delete:
		e.cut(e.at, e.after(e.at))
	case EraseWord:
		e.cut(e.wordBefore(), e.at)
	case EraseLeft:
		e.cut(e.lineStart(), e.at)
	case EraseRight:
		e.cut(e.at, e.lineEnd())
	default:
		return false
	}
	return true
}

// clean is what Text makes of s behind what stands before the cursor: an accent
// may come after its letter.
func (e *Editor) clean(s string) string {
	if rest, ok := strings.CutPrefix(Text(e.text[:e.at]+s), e.text[:e.at]); ok {
		return rest
	}
	return Text(s)
}

func (e *Editor) insert(s string) bool {
	if e.Limit > 0 && len(e.text)+len(s) > e.Limit {
		return false
	}
	e.text = e.text[:e.at] + s + e.text[e.at:]
	e.at = e.boundary(e.at + len(s)) // an accent joins what stands before it
	return true
}

func (e *Editor) cut(from, to int) {
	e.text = e.text[:from] + e.text[to:]
	e.at = e.boundary(from)
}

// boundary is the first place between two characters from i on.
func (e *Editor) boundary(i int) int {
	at := 0
	for cluster := range clusters(e.text) {
		if at >= i {
			break
		}
		at += len(cluster)
	}
	return at
}

func (e *Editor) before(i int) int {
	at := 0
	for cluster := range clusters(e.text) {
		if at+len(cluster) >= i {
			break
		}
		at += len(cluster)
	}
	return at
}

func (e *Editor) after(i int) int {
	for cluster := range clusters(e.text[i:]) {
		return i + len(cluster)
	}
	return i
}

func word(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '_'
}

func notWord(r rune) bool { return !word(r) }

// wordBefore is where the word begins that ends before the cursor.
func (e *Editor) wordBefore() int {
	head := strings.TrimRightFunc(e.text[:e.at], notWord)
	at := len(strings.TrimRightFunc(head, word))
	if e.boundary(at) != at {
		return e.before(at)
	}
	return at
}

func (e *Editor) wordAfter() int {
	rest := strings.TrimLeftFunc(e.text[e.at:], notWord)
	return e.boundary(len(e.text) - len(strings.TrimLeftFunc(rest, word)))
}

func (e *Editor) lineStart() int { return strings.LastIndexByte(e.text[:e.at], '\n') + 1 }

func (e *Editor) lineEnd() int {
	if i := strings.IndexByte(e.text[e.at:], '\n'); i >= 0 {
		return e.at + i
	}
	return len(e.text)
}

// Rows are the text in rows of at most so many columns, broken anywhere, and the
// row and the column of the cursor. Of more rows than height those round the
// cursor are left.
func (e *Editor) Rows(columns, height int) (rows []string, row, column int) {
	columns = max(columns, 3) // a wide character, and the cursor behind it
	start, used, at := 0, 0, 0
	next := func(from int) {
		rows = append(rows, e.text[start:at])
		start, used = from, 0
	}
	mark := func() {
		if at == e.at {
			row, column = len(rows), used
		}
	}
	for cluster, width := range clusters(e.text) {
		if cluster == "\n" {
			mark()
			next(at + 1)
			at++
			continue
		}
		if used+width > columns-1 && used > 0 {
			next(at)
		}
		mark()
		at += len(cluster)
		used += width
	}
	mark()
	rows = append(rows, e.text[start:])
	if first := min(max(row-height+1, 0), max(len(rows)-height, 0)); height > 0 && len(rows) > height {
		rows, row = rows[first:first+height], row-first
	}
	return rows, row, min(column, columns-1)
}

// Blank reports that there is nothing to be seen in the text.
func (e *Editor) Blank() bool {
	return strings.TrimFunc(e.text, func(r rune) bool { return unicode.IsSpace(r) || r == utf8.RuneError }) == ""
}
