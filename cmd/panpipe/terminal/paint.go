package terminal

import (
	"fmt"
	"strings"
)

// Frame is what a screen shows: its rows from the top, each of at most as many
// columns as the screen has, and where the cursor stands.
type Frame struct {
	Rows        []string
	Row, Column int
}

// What a terminal is told at the beginning: another screen, no wrapping, paste in
// brackets, and to tell of the focus; and at the end.
const (
	Begin = "\x1b[?1049h\x1b[?7l\x1b[?2004h\x1b[?1004h"
	Leave = "\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[?1049l"
)

// Painter makes of each frame what turns the one before into it. The zero Painter
// begins with an empty screen.
type Painter struct {
	shown []string
}

// Forget has the next frame painted whole: the screen may show anything.
func (p *Painter) Forget() { p.shown = nil }

// Paint returns what to write to the terminal. A row is cleared before it is
// written: with the cursor behind the last column, clearing the rest of the row
// would take its last character.
func (p *Painter) Paint(f Frame) string {
	var b strings.Builder
	b.WriteString("\x1b[?25l")
	if p.shown == nil {
		b.WriteString("\x1b[2J")
	}
	for i, row := range f.Rows {
		if i < len(p.shown) && p.shown[i] == row {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[2K%s", i+1, row)
	}
	for i := len(f.Rows); i < len(p.shown); i++ {
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[2K", i+1)
	}
	fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[?25h", f.Row+1, f.Column+1)
	p.shown = append(make([]string, 0, len(f.Rows)), f.Rows...)
	return b.String()
}
