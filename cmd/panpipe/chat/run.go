package chat

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
)

// again is the time between two tries to reach a node that does not answer.
const again = time.Second

// Screen is a terminal in raw mode.
type Screen struct {
	In  io.Reader // what is typed
	Out io.Writer
	// Size is how large it is, in columns and rows.
	Size func() (columns, rows int)
	// Resized yields when the size may be another; nil: never.
	Resized <-chan struct{}
	// Plain leaves out attributes of text.
	Plain bool
}

// Run is the conversation with b on a terminal, until the person leaves, which is
// no failure, or ctx ends.
func Run(ctx context.Context, n Node, b api.Buddy, s Screen) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &runner{node: n, who: b.Account, happened: make(chan any), ctx: ctx}
	r.model.Plain = s.Plain
	defer r.tasks.Wait()
	defer cancel()
	keys := make(chan []terminal.Key)
	go readKeys(ctx, s.In, keys) // may not end before the process: a terminal cannot be interrupted

	since, err := r.present()
	if err != nil {
		return err
	}
	r.tasks.Go(func() { r.follow(since) })
	if _, err := io.WriteString(s.Out, terminal.Begin); err != nil {
		return err
	}
	defer io.WriteString(s.Out, terminal.Leave) //nolint:errcheck // the terminal has gone; there is nobody to tell
	r.do(r.model.Start(b))
	columns, rows := s.Size()
	r.step(Resized{columns, rows})
	return r.loop(ctx, s, keys)
}

// runner joins a model to a node.
type runner struct {
	node     Node
	who      string
	ctx      context.Context
	happened chan any // what the tasks have to tell
	tasks    sync.WaitGroup

	// owned by the loop
	model   Model
	painter terminal.Painter
	ended   bool
}

// loop has the model take one thing after another, and shows what it makes of
// all that is there.
func (r *runner) loop(ctx context.Context, s Screen, keys <-chan []terminal.Key) error {
	for !r.ended {
		if _, err := io.WriteString(s.Out, r.painter.Paint(r.model.View())); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case pressed, open := <-keys:
			if !open {
				return nil // the terminal has gone
			}
			for _, k := range pressed {
				r.step(Pressed{k})
			}
		case <-s.Resized:
			columns, rows := s.Size()
			r.step(Resized{columns, rows})
		case what := <-r.happened:
			r.step(what)
		}
	}
	return nil
}

func (r *runner) step(what any) { r.do(r.model.Step(what)) }

// do has done what the model wants.
func (r *runner) do(wanted []any) {
	for _, what := range wanted {
		switch w := what.(type) {
		case Leave:
			r.ended = true
		case Repaint:
			r.painter.Forget()
		case Load:
			r.task(func() any {
				page, err := r.node.Messages(r.ctx, r.who, api.MessagesQuery{Before: w.Before})
				return Read{w.Before, page, err}
			})
		case Send:
			r.task(func() any {
				m, err := r.node.Send(r.ctx, r.who, w.Text)
				return Sent{m, err}
			})
		case MarkRead:
			r.task(func() any {
				_ = r.node.MarkRead(r.ctx, r.who, w.UpTo) // the next one tells more
				return nil
			})
		case Look:
			r.task(func() any {
				b, err := r.node.Buddy(r.ctx, r.who, api.BuddiesQuery{})
				if err != nil {
					return nil // the end of the events will tell
				}
				return Stands{b}
			})
		}
	}
}

// task does something beside the loop, and tells it what came of that.
func (r *runner) task(do func() any) {
	r.tasks.Go(func() { r.tell(do()) })
}

func (r *runner) tell(what any) {
	if what == nil {
		return
	}
	select {
	case r.happened <- what:
	case <-r.ctx.Done():
	}
}

// present is the last event of the node.
func (r *runner) present() (uint64, error) {
	st, err := r.node.Status(r.ctx)
	return st.Event, err
}

// follow tells of events until the end. The node may leave and come back.
func (r *runner) follow(since uint64) {
	wait := time.NewTicker(again)
	defer wait.Stop()
	for r.ctx.Err() == nil {
		for e, err := range r.node.Events(r.ctx, since, r.who) {
			if err != nil {
				break
			}
			since = e.ID
			r.tell(happening(e, r.who))
		}
		r.tell(Left{})
		for {
			select {
			case <-wait.C:
			case <-r.ctx.Done():
				return
			}
			if now, err := r.present(); err == nil {
				since = now
				break
			}
		}
		r.tell(Back{})
	}
}

// happening is what an event means for the conversation with an account, nil if
// it means nothing.
func happening(e api.Event, who string) any {
	switch {
	case e.Kind == api.EventGap || e.Kind == api.EventLost:
		return Back{}
	case e.Account != who:
		return nil
	}
	switch e.Kind {
	case api.EventMessage:
		return Came{*e.Message}
	case api.EventMark:
		return Marked{}
	case api.EventStopped:
		return Stopped{e.Problem.Err()}
	case api.EventBuddy, api.EventPresence:
		if e.Buddy != nil {
			return Stands{*e.Buddy}
		}
	}
	return nil
}

// readKeys makes keys of what is typed, until the end of it.
func readKeys(ctx context.Context, in io.Reader, keys chan<- []terminal.Key) {
	defer close(keys)
	var k terminal.Keys
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		if pressed := k.Feed(buf[:n]); len(pressed) > 0 {
			select {
			case keys <- pressed:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}
