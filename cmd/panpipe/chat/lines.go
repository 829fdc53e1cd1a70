package chat

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Lines is a conversation for programs: each line of In is a message, each
// message of the other side, or of this account's other devices, is written to
// Out.
type Lines struct {
	In  io.Reader
	Out io.Writer
	// History is how many of the last messages are written first.
	History uint64
	// Follow goes on when In has ended.
	Follow bool
	// JSON writes messages as objects of the API, one a line, instead of as a time,
	// a name and a text whose further lines are indented.
	JSON bool
	// Zone is where times are told; nil: the local one.
	Zone *time.Location
}

// Run runs until In has ended and all of it is written, or the node has left.
// With the error of a message that could not be written it ends at once, and
// names the message.
func (l Lines) Run(ctx context.Context, n Node, b api.Buddy) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	me, err := n.ID(ctx)
	if err != nil {
		return err
	}
	st, err := n.Status(ctx)
	if err != nil {
		return err
	}
	w := &lineWriter{Lines: l, node: n, buddy: b, here: me.Peer}
	if err := w.history(ctx); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- l.send(ctx, n, b.Account) }() // may not end before the process: input cannot be interrupted
	heard := make(chan error, 1)
	go func() { heard <- w.follow(ctx, st.Event) }()
	for {
		select {
		case err := <-sent:
			if err != nil || !l.Follow {
				cancel()
				<-heard
				return err
			}
		case err := <-heard:
			return err
		}
	}
}

// send writes each line as a message.
func (l Lines) send(ctx context.Context, n Node, who string) error {
	lines := bufio.NewScanner(l.In)
	lines.Buffer(nil, api.MaxMessage+2)
	for lines.Scan() {
		text := strings.TrimSuffix(lines.Text(), "\r")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if _, err := n.Send(ctx, who, text); err != nil {
			return wire.Errorf(wire.CodeOf(err), "%s%q: %w", notSent(err), terminal.Cut(terminal.Text(text), 60), err).WithNext("%s", wire.NextOf(err))
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return wire.Errorf(wire.TooLarge, "a line is longer than a message may be, which is %d bytes", api.MaxMessage).WithNext("send it in parts, or as a file")
	}
	return lines.Err()
}

// lineWriter writes messages to Out, each once.
type lineWriter struct {
	Lines
	node  Node
	buddy api.Buddy
	here  string // this device
	seen  seen
	last  string // place of the last message that was shown
}

// seen remembers the IDs of messages that were shown lately: what was read again
// after a gap may be told by an event, too.
type seen struct{ now, before map[string]bool }

// manySeen is more than a node keeps events.
const manySeen = 4096

// first reports that an ID was not seen, and notes it.
func (s *seen) first(id string) bool {
	if s.now[id] || s.before[id] {
		return false
	}
	if s.now == nil || len(s.now) >= manySeen {
		s.now, s.before = map[string]bool{}, s.now
	}
	s.now[id] = true
	return true
}

func (w *lineWriter) history(ctx context.Context) error {
	if w.History == 0 {
		return nil
	}
	page, err := w.node.Messages(ctx, w.buddy.Account, api.MessagesQuery{Limit: w.History})
	if err != nil {
		return err
	}
	for _, m := range page.Messages {
		w.seen.first(m.ID)
		if err := w.show(m); err != nil {
			return err
		}
	}
	return w.read(ctx)
}

// follow writes what comes. What a gap left out is read again.
func (w *lineWriter) follow(ctx context.Context, since uint64) error {
	for e, err := range w.node.Events(ctx, since, w.buddy.Account) {
		if err != nil {
			if errors.Is(err, wire.Closed) {
				return wire.Errorf(wire.NotReady, "the node has left: %w", err).WithNext("start it again with panpipe up")
			}
			return err
		}
		switch e.Kind {
		case api.EventMessage:
			if e.Account == w.buddy.Account {
				err = w.came(ctx, *e.Message)
			}
		case api.EventGap, api.EventLost:
			err = w.missed(ctx)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *lineWriter) came(ctx context.Context, m api.Message) error {
	if m.Mine && m.Device == w.here || !w.seen.first(m.ID) {
		return nil
	}
	if err := w.show(m); err != nil {
		return err
	}
	return w.read(ctx)
}

// missed writes what is behind the last message that was shown.
func (w *lineWriter) missed(ctx context.Context) error {
	var found []api.Message
	for q := (api.MessagesQuery{}); ; {
		page, err := w.node.Messages(ctx, w.buddy.Account, q)
		if err != nil {
			return err
		}
		found = append(page.Messages, found...)
		if q.Before = page.Earlier; w.last == "" || q.Before == "" || q.Before <= w.last {
			break
		}
	}
	for _, m := range found {
		if m.Place > w.last {
			if err := w.came(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// read tells that what is written to Out has been seen.
func (w *lineWriter) read(ctx context.Context) error {
	if w.last == "" {
		return nil
	}
	return w.node.MarkRead(ctx, w.buddy.Account, w.last)
}

func (w *lineWriter) show(m api.Message) error {
	w.last = max(w.last, m.Place)
	if w.JSON {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = w.Out.Write(append(terminal.JSON(line), '\n'))
		return err
	}
	_, err := io.WriteString(w.Out, w.line(m))
	return err
}

// line is a message as text. Lines after its first are indented, so that none
// looks like a message of its own.
func (w *lineWriter) line(m api.Message) string {
	who := "me"
	if !m.Mine {
		who = NameOf(w.buddy)
	}
	at := m.Sent.Local()
	if w.Zone != nil {
		at = m.Sent.In(w.Zone)
	}
	return fmt.Sprintf("%s %s: %s\n", at.Format(time.DateTime), who, strings.ReplaceAll(terminal.Text(m.Text), "\n", "\n    "))
}
