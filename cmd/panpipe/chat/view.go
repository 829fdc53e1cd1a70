package chat

import (
	"fmt"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
)

const (
	// maxWho caps the column of names.
	maxWho = 12
	// minText is what the text of a message is left at least.
	minText = 16
	prompt  = "> "
)

// View is the screen: messages, a line about the buddy, and what is being typed.
func (m *Model) View() terminal.Frame {
	columns := max(m.columns, 8)
	input, row, column := m.input.Rows(columns-len(prompt), max(min(6, m.rows/3), 1))
	var below []string
	if m.rows > 2 {
		below = append(below, m.style(bold, terminal.Cut(m.presence(columns), columns)))
	}
	for i, line := range input {
		mark := "  "
		if i == 0 {
			mark = prompt
		}
		below = append(below, mark+line)
	}
	height := max(m.rows-len(below), 0)
	rows := append(m.window(height), below...)
	return terminal.Frame{Rows: rows, Row: len(rows) - len(input) + row, Column: len(prompt) + column}
}

// height is how many rows of messages the screen has.
func (m *Model) height() int {
	input, _, _ := m.input.Rows(max(m.columns, 8)-len(prompt), max(min(6, m.rows/3), 1))
	return max(m.rows-len(input)-1, 1)
}

// most is how far one can scroll.
func (m *Model) most() int { return max(m.total()-m.height(), 0) }

func (m *Model) total() (n int) {
	for i := range m.shown {
		n += len(m.rowsAt(i))
	}
	return n
}

// window is the part of all rows that the screen shows, filled up at its top.
func (m *Model) window(height int) []string {
	tail := m.tail()
	rows := make([]string, 0, height)
	skip := m.scroll
	add := func(lines []string) bool { // from the end
		for i := len(lines) - 1; i >= 0; i-- {
			if skip > 0 {
				skip--
				continue
			}
			if len(rows) == height {
				return false
			}
			rows = append(rows, lines[i])
		}
		return true
	}
	more := m.scroll > 0 || add(tail)
	for i := len(m.shown) - 1; i >= 0 && more; i-- {
		more = add(m.rowsAt(i))
	}
	for len(rows) < height {
		rows = append(rows, "")
	}
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// tail is what stands below the last message: texts that are being written, and
// what has gone wrong.
func (m *Model) tail() []string {
	var rows []string
	for i, text := range m.queue {
		if i == 0 && m.told {
			continue
		}
		rows = append(rows, m.lay(time.Time{}, "… ", "me", text)...)
	}
	if m.notice != "" {
		rows = append(rows, terminal.Wrap("! "+terminal.Text(m.notice), max(m.columns, 8))...)
	}
	return rows
}

// rowsAt are the rows of a message, with the day in front of its first.
func (m *Model) rowsAt(i int) []string {
	rows := m.lines(m.shown[i])
	day := m.day(m.shown[i].Sent)
	if i > 0 && day == m.day(m.shown[i-1].Sent) || i == 0 && m.earlier != "" {
		return rows
	}
	return append([]string{m.style(dim, terminal.Cut("── "+day+" ──", max(m.columns, 8)))}, rows...)
}

func (m *Model) day(t time.Time) string { return m.local(t).Format("Monday, 2 January 2006") }

func (m *Model) local(t time.Time) time.Time {
	if m.Zone != nil {
		return t.In(m.Zone)
	}
	return t.Local()
}

// lines are the rows of a message, made once for a width.
func (m *Model) lines(e *entry) []string {
	if e.lines == nil || e.columns != m.columns {
		mark, who := "  ", m.called()
		if e.Mine {
			mark, who = deliveryMarks[e.Delivery], "me"
		}
		e.columns, e.lines = m.columns, m.lay(e.Sent, mark, who, e.Text)
	}
	return e.lines
}

// deliveryMarks stand before one's own messages, two columns wide.
var deliveryMarks = map[string]string{api.DeliveryKept: "· ", api.DeliveryDelivered: "✓ ", api.DeliveryRead: "✓✓"}

// lay lays a message out. Its text has a column of its own.
func (m *Model) lay(sent time.Time, mark, who, text string) []string {
	columns := max(m.columns, 8)
	head := "     "
	if !sent.IsZero() {
		head = m.local(sent).Format("15:04")
	}
	head += " " + mark + " "
	width := min(max(terminal.Width(m.called()), 2), maxWho, max(columns-len("00:00 ✓✓ ")-minText, 2))
	name := terminal.Pad(terminal.Cut(who, width), width) + "  "
	indent := terminal.Width(head) + width + 2
	if columns-indent < minText { // names and times on a row of their own
		rows := []string{terminal.Cut(head+who, columns)}
		for _, row := range terminal.Wrap(terminal.Text(text), columns-1) {
			rows = append(rows, " "+row)
		}
		return rows
	}
	var rows []string
	for i, row := range terminal.Wrap(terminal.Text(text), columns-indent) {
		if i == 0 {
			rows = append(rows, m.style(dim, head)+m.style(bold, name)+row)
			continue
		}
		rows = append(rows, strings.Repeat(" ", indent)+row)
	}
	return rows
}

// called is what the buddy is called on the screen.
func (m *Model) called() string { return NameOf(m.buddy) }

// NameOf is what a buddy is called: by its petname, else by its own name, else by
// its ID.
func NameOf(b api.Buddy) string {
	for _, name := range []string{b.Petname, b.Name} {
		if shown := terminal.Name(name); shown != "" {
			return shown
		}
	}
	return b.Account
}

// presence is the line about the buddy.
func (m *Model) presence(columns int) string {
	text := "── "
	if m.scroll > 0 {
		text += fmt.Sprintf("%d rows below, PgDn ── ", m.scroll)
	}
	text += terminal.Cut(m.called(), max(columns/3, 8)) + ": " + m.presenceText() + " "
	return text + strings.Repeat("─", max(columns-terminal.Width(text), 0))
}

func (m *Model) presenceText() string {
	b := m.buddy
	switch {
	case m.left:
		return "your node does not answer; trying again"
	case b.Blocked:
		return "blocked"
	case b.State == api.BuddyRequested:
		return "has not accepted yet"
	case b.State != api.BuddyAccepted:
		return "no buddy any more"
	case b.Presence == api.PresenceConnected:
		return "here" + pathText(b) + statusText(b)
	case m.lost != nil && b.Presence == api.PresenceAnnounced:
		return "reconnecting since " + m.local(*m.lost).Format(time.TimeOnly)
	case b.Presence == api.PresenceAnnounced:
		return "there, connecting"
	case !b.Known:
		return "looking for " + terminal.Cut(m.called(), maxWho)
	case m.lost != nil:
		return "away since " + m.local(*m.lost).Format(time.TimeOnly) + "; what you write is kept"
	case b.Seen != nil:
		return "away, last here " + m.seenText(*b.Seen) + "; what you write is kept"
	}
	return "away; what you write is kept"
}

func (m *Model) seenText(t time.Time) string {
	if m.day(t) == m.day(m.now()) {
		return m.local(t).Format("15:04")
	}
	return m.local(t).Format("2006-01-02 15:04")
}

// pathText tells of connected devices.
func pathText(b api.Buddy) string {
	devices, path := 0, ""
	for _, d := range b.Devices {
		if d.Presence == api.PresenceConnected {
			devices++
			if path != "direct" {
				path = d.Path
			}
		}
	}
	switch {
	case devices > 1:
		return fmt.Sprintf(" on %d devices, %s", devices, path)
	case devices == 1:
		return ", " + path
	}
	return ""
}

func statusText(b api.Buddy) string {
	if s := terminal.Name(b.Status); s != "" {
		return " “" + s + "”"
	}
	return ""
}

// Attributes of text.
const (
	bold = "\x1b[1m"
	dim  = "\x1b[2m"
)

func (m *Model) style(attribute, text string) string {
	if m.Plain || text == "" {
		return text
	}
	return attribute + text + "\x1b[0m"
}
