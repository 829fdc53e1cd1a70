package terminal

import (
	"iter"
	"strings"

	"github.com/rivo/uniseg"
)

// clusters yields the characters of s as a reader sees them, and the columns
// that each takes.
func clusters(s string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		state := -1
		for len(s) > 0 {
			var cluster string
			var width int
			cluster, s, width, state = uniseg.FirstGraphemeClusterInString(s, state)
			if !yield(cluster, width) {
				return
			}
		}
	}
}

// Width is how many columns s takes in a terminal.
func Width(s string) int { return uniseg.StringWidth(s) }

// Cut shortens s to at most so many columns, the last of which then says that
// something is missing.
func Cut(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	used, end := 0, 0
	for cluster, width := range clusters(s) {
		if used+width > columns-1 {
			break
		}
		used += width
		end += len(cluster)
	}
	return s[:end] + ellipsis
}

// Pad is s and as many spaces as make it so wide.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(columns-Width(s), 0))
}

// Wrap divides text into rows of at most so many columns, where it can at spaces,
// of which those at a break are dropped. There is at least one row.
func Wrap(text string, columns int) []string {
	columns = max(columns, 2) // a wide character fits
	var rows []string
	for line := range strings.SplitSeq(text, "\n") {
		rows = wrapLine(rows, line, columns)
	}
	return rows
}

func wrapLine(rows []string, line string, columns int) []string {
	for {
		end, next := firstRow(line, columns)
		rows = append(rows, line[:end])
		if next >= len(line) {
			return rows
		}
		line = line[next:]
	}
}

// firstRow tells where the first row of a line ends, and where the next begins.
func firstRow(line string, columns int) (end, next int) {
	at, used := 0, 0
	space := -1 // where the row could end
	for cluster, width := range clusters(line) {
		if used+width > columns {
			switch {
			case cluster == " ":
				return at, at + 1
			case space > 0:
				return space, space + 1
			}
			return at, at
		}
		if cluster == " " {
			space = at
		}
		at += len(cluster)
		used += width
	}
	return at, at
}
