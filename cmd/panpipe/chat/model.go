package chat

import (
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxShown is how many messages are kept at the end of a conversation; older ones
// are read again when somebody scrolls to them.
const maxShown = 2000

type ( // what happens to a Model

	// Pressed is a key.
	Pressed struct{ Key terminal.Key }
	// Resized is a new size of the terminal, in columns and rows.
	Resized struct{ Columns, Rows int }
	// Read is the answer to Load.
	Read struct {
		Before string // as it was asked for
		Page   api.MessagePage
		Err    error
	}
	// Came is a message that is new at the node.
	Came struct{ Message api.Message }
	// Marked says that messages were delivered or read.
	Marked struct{}
	// Stands is how the buddy stands now.
	Stands struct{ Buddy api.Buddy }
	// Sent is the answer to Send.
	Sent struct {
		Message api.Message
		Err     error
	}
	// Stopped says why messages go no further.
	Stopped struct{ Err error }
	// Left says that the node does not answer.
	Left struct{}
	// Back says that it does again, or that events were lost.
	Back struct{}
)

type ( // what a Model wants done

	// Load reads messages: those before a place, or the last ones.
	Load struct{ Before string }
	// Send writes a message.
	Send struct{ Text string }
	// MarkRead tells that a person has seen all up to a place.
	MarkRead struct{ UpTo string }
	// Look asks how the buddy stands.
	Look struct{}
	// Repaint has the screen painted whole.
	Repaint struct{}
	// Leave ends it.
	Leave struct{}
)

// Model is what a person sees of a conversation, and what was typed.
type Model struct {
	// Plain leaves out all attributes of text.
	Plain bool
	// Zone is where times are told; nil: the local one.
	Zone *time.Location
	// Now is the clock, for what is told of days.
	Now func() time.Time

	columns, rows int
	buddy         api.Buddy
	lost          *time.Time // since when a buddy that was connected is not
	left          bool       // the node does not answer
	unfocused     bool

	shown    []*entry // by place
	earlier  string   // what comes before them; "": nothing
	loading  bool     // older ones
	reading  bool     // the last ones
	stale    bool     // and they have changed meanwhile
	scroll   int      // rows below the screen
	readUpTo string   // was told

	input  terminal.Editor
	queue  []string // being written, the first one now
	told   bool     // that one has come as a message already
	notice string
}

// entry is a message, and its rows for a width.
type entry struct {
	api.Message
	columns int
	lines   []string
}

// Start is the beginning: the buddy as it stands, and what is to be done first.
func (m *Model) Start(b api.Buddy) []any {
	m.buddy = b
	m.input.Limit = api.MaxMessage
	m.reading = true
	return []any{Load{}}
}

// Step takes what has happened and returns what is to be done.
func (m *Model) Step(what any) []any {
	var do []any
	switch e := what.(type) {
	case Pressed:
		do = m.press(e.Key)
	case Resized:
		m.columns, m.rows = e.Columns, e.Rows
		do = []any{Repaint{}}
	case Read:
		do = m.read(e)
	case Came:
		m.came(e.Message)
		if len(m.queue) > 0 && e.Message.Mine && e.Message.Text == m.queue[0] {
			m.told = true // the answer to Send is on its way
		}
	case Marked:
		do = m.reload()
	case Stands:
		m.stands(e.Buddy)
	case Sent:
		do = m.sent(e)
	case Stopped:
		m.notice = "messages go no further: " + errorText(e.Err)
	case Left:
		m.left, m.reading, m.loading = true, false, false
	case Back:
		m.left = false
		do = append([]any{Look{}}, m.reload()...)
	}
	if m.scroll > 0 {
		m.scroll = min(m.scroll, m.most())
	}
	return append(do, m.seen()...)
}

// press does what a key says.
func (m *Model) press(k terminal.Key) []any {
	switch k.Code {
	case terminal.FocusIn, terminal.FocusOut:
		m.unfocused = k.Code == terminal.FocusOut
		return nil
	case terminal.Redraw:
		return []any{Repaint{}}
	}
	m.notice = ""
	switch k.Code {
	case terminal.Interrupt:
		return []any{Leave{}}
	case terminal.EndInput:
		if m.input.Text() == "" {
			return []any{Leave{}}
		}
		m.input.Key(terminal.Key{Code: terminal.Delete})
	case terminal.Enter:
		return m.enter()
	case terminal.Up:
		return m.scrollBy(1)
	case terminal.Down:
		return m.scrollBy(-1)
	case terminal.PageUp:
		return m.scrollBy(max(m.height()-1, 1))
	case terminal.PageDown:
		return m.scrollBy(-max(m.height()-1, 1))
	default:
		if text := k.Code == terminal.Typed || k.Code == terminal.Pasted; !m.input.Key(k) && text {
			m.notice = "a message has at most 64 KiB: that does not fit any more"
		}
	}
	return nil
}

func (m *Model) enter() []any {
	if m.input.Blank() {
		return nil
	}
	m.queue = append(m.queue, m.input.Text())
	m.input.Set("")
	m.scroll = 0
	if len(m.queue) > 1 {
		return nil
	}
	return []any{Send{m.queue[0]}}
}

// sent takes the answer for the first text of the queue. After a failure all that
// waits is in the input again.
func (m *Model) sent(e Sent) []any {
	m.told = false
	if len(m.queue) == 0 {
		return nil
	}
	if e.Err != nil {
		m.notice = notSent(e.Err) + errorText(e.Err)
		if m.input.Text() != "" {
			m.queue = append(m.queue, m.input.Text())
		}
		m.input.Set(strings.Join(m.queue, "\n"))
		m.queue = nil
		return nil
	}
	m.queue = m.queue[1:]
	m.came(e.Message)
	if len(m.queue) == 0 {
		return nil
	}
	return []any{Send{m.queue[0]}}
}

// notSent says of an error of Send what became of the message: a node that did not
// answer may have kept it.
func notSent(err error) string {
	switch wire.CodeOf(err) {
	case wire.Closed, wire.Timeout:
		return "perhaps not sent, look before you send it again: "
	}
	return "not sent: "
}

// errorText is an error and what to do about it, in one line.
func errorText(err error) string {
	text := err.Error()
	if next := wire.NextOf(err); next != "" {
		text += "; " + next
	}
	return strings.Join(strings.Fields(text), " ")
}

// stands takes how the buddy is now, and notes when its connection was lost.
func (m *Model) stands(b api.Buddy) {
	was := m.buddy.Presence == api.PresenceConnected
	switch is := b.Presence == api.PresenceConnected; {
	case is:
		m.lost = nil
	case was:
		now := m.now()
		m.lost = &now
	}
	if NameOf(b) != NameOf(m.buddy) {
		for _, e := range m.shown {
			e.lines = nil
		}
	}
	m.buddy = b
}

func (m *Model) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// came takes a message that is new, or known already and further on its way.
func (m *Model) came(x api.Message) {
	if m.earlier != "" && (len(m.shown) == 0 || x.Place < m.shown[0].Place) {
		return // it is read when somebody scrolls there
	}
	e, added := m.put(x)
	switch {
	case added && m.scroll > 0:
		m.scroll += len(m.lines(e)) // what is on the screen stays
	case added && len(m.shown) > maxShown:
		m.shown = slices.Clone(m.shown[len(m.shown)-maxShown/2:])
		m.earlier = m.shown[0].Place
	}
}

// put puts a message in its place.
func (m *Model) put(x api.Message) (e *entry, added bool) {
	e = &entry{Message: x}
	i, known := slices.BinarySearchFunc(m.shown, x.Place, func(e *entry, place string) int { return strings.Compare(e.Place, place) })
	if known {
		m.shown[i] = e
	} else {
		m.shown = slices.Insert(m.shown, i, e)
	}
	return e, !known
}

// read takes a page.
func (m *Model) read(e Read) []any {
	if e.Before != "" {
		m.loading = false
	} else {
		m.reading = false
	}
	switch {
	case e.Err != nil:
		m.notice = "messages cannot be read: " + errorText(e.Err)
		return nil
	case e.Before != "":
		if e.Before == m.earlier {
			m.earlier = e.Page.Earlier
			for _, x := range e.Page.Messages {
				m.put(x)
			}
		}
		return nil
	}
	if !m.adjoins(e.Page) {
		m.shown, m.earlier, m.scroll = nil, e.Page.Earlier, 0
	}
	for _, x := range e.Page.Messages {
		if len(m.shown) == 0 {
			m.put(x)
		} else {
			m.came(x)
		}
	}
	if m.stale {
		m.stale = false
		return m.reload()
	}
	return nil
}

// adjoins reports that nothing is missing between what is shown and a page of the
// last messages.
func (m *Model) adjoins(p api.MessagePage) bool {
	if len(m.shown) == 0 {
		return false
	}
	return p.Earlier == "" || slices.ContainsFunc(p.Messages, func(x api.Message) bool {
		return slices.ContainsFunc(m.shown, func(e *entry) bool { return e.ID == x.ID })
	})
}

// reload reads the last messages again, once more if they change meanwhile.
func (m *Model) reload() []any {
	if m.reading {
		m.stale = true
		return nil
	}
	m.reading = true
	return []any{Load{}}
}

// seen tells that a person has seen what is on the screen.
func (m *Model) seen() []any {
	if m.unfocused || m.left || m.scroll > 0 || m.columns == 0 {
		return nil
	}
	for _, e := range slices.Backward(m.shown) {
		switch {
		case e.Mine:
			continue
		case e.Delivery == api.DeliveryRead || e.Place <= m.readUpTo:
			return nil
		}
		m.readUpTo = e.Place
		return []any{MarkRead{e.Place}}
	}
	return nil
}

// scrollBy moves towards older messages, and has more of them read where they end.
func (m *Model) scrollBy(rows int) []any {
	most := m.most()
	m.scroll = min(max(m.scroll+rows, 0), most)
	if m.scroll < most || m.earlier == "" || m.loading || m.left || rows < 0 {
		return nil
	}
	m.loading = true
	return []any{Load{m.earlier}}
}
