package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/panpipe-net/panpipe/cmd/panpipe/chat"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// chatFlags are the flags of chat.
type chatFlags struct {
	send    string
	wait    api.Duration
	lines   bool
	follow  bool
	history uint64
}

func newChat(a *app) *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat WHO",
		Short: "Talk to a buddy",
		Long: "Talks to a buddy. " + whoIs + "\n\n" +
			"On a terminal it shows the conversation, a line about the buddy, and what you type:\n\n" +
			"  Enter        sends; Alt-Enter begins another line; what is pasted is never sent by itself\n" +
			"  PgUp, PgDn   older messages, and back (also the arrows up and down)\n" +
			"  Ctrl-D       leaves, as Ctrl-C does\n" +
			"  ·  ✓  ✓✓     before your messages: kept here, arrived, seen there\n\n" +
			"What you write is on the disk when it is shown, and arrives when both are there, once.\n\n" +
			"Without a terminal, or with --lines, each line of standard input is a message, and messages\n" +
			"of the other side, and of your other devices, come as \"TIME NAME: TEXT\"; further lines of a\n" +
			"message are indented, so none looks like a message of its own. With --json each is an\n" +
			"object. Control characters that the other side wrote are shown, never obeyed; JSON has\n" +
			"them as they are. What was written out counts as read.",
		Example: "  panpipe chat bob\n" +
			"  panpipe chat bob --send \"on my way\" --wait 10s\n" +
			"  tail -f build.log | panpipe chat ops --lines\n" +
			"  panpipe chat bob --lines --follow --json < /dev/null | while read -r m; do …; done",
		Args: takes("WHO"), ValidArgsFunction: a.completeBuddy,
		RunE: does(func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			b, err := c.Buddy(cmd.Context(), args[0], api.BuddiesQuery{})
			if err != nil {
				return err
			}
			return a.chat(cmd, c, b, f)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.send, "send", "", "send this one message and end; - takes all of standard input")
	spanVar(fs, &f.wait, "wait", "with --send: wait until it has arrived on a device there, at most so long")
	fs.BoolVar(&f.lines, "lines", false, "a message a line, also on a terminal")
	fs.BoolVar(&f.follow, "follow", false, "with lines: go on when standard input has ended")
	fs.Uint64Var(&f.history, "history", 0, "with lines: begin with so many of the last messages, at most 500")
	return cmd
}

// check refuses flags that contradict each other.
func (f *chatFlags) check(cmd *cobra.Command) error {
	sends := cmd.Flags().Changed("send")
	switch {
	case sends && strings.TrimSpace(f.send) == "":
		return wire.Errorf(wire.BadRequest, "--send: the message is empty")
	case sends && (f.lines || f.follow || f.history > 0):
		return wire.Errorf(wire.BadRequest, "--send ends when its message is written: --lines, --follow and --history have no use with it")
	case !sends && f.wait > 0:
		return wire.Errorf(wire.BadRequest, "--wait has no use without --send")
	case f.history > 500:
		return wire.Errorf(wire.BadRequest, "--history: at most 500")
	}
	return notZero(cmd.Flags(), "wait")
}

func (a *app) chat(cmd *cobra.Command, c *client.Client, b api.Buddy, f chatFlags) error {
	switch {
	case cmd.Flags().Changed("send"):
		return a.sendOne(cmd.Context(), c, b, f)
	case f.lines || f.follow || f.history > 0 || a.json || !isTerminal(a.in) || !isTerminal(a.out):
		return chat.Lines{In: a.in, Out: a.out, History: f.history, Follow: f.follow, JSON: a.json}.Run(cmd.Context(), c, b)
	}
	return a.interactive(cmd.Context(), c, b)
}

// interactive is a conversation on a terminal.
func (a *app) interactive(ctx context.Context, c *client.Client, b api.Buddy) error {
	in, out := a.in.(*os.File), a.out.(*os.File)
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return wire.Errorf(wire.Unsupported, "the terminal cannot be read key by key: %w", err).WithNext("use --lines")
	}
	defer term.Restore(int(in.Fd()), before) //nolint:errcheck // the terminal has gone; there is nobody to tell
	resized, stop := resizes()
	defer stop()
	return chat.Run(ctx, c, b, chat.Screen{
		In: in, Out: out, Resized: resized, Plain: os.Getenv("NO_COLOR") != "",
		Size: func() (columns, rows int) {
			if columns, rows, err := term.GetSize(int(out.Fd())); err == nil && columns > 0 && rows > 0 {
				return columns, rows
			}
			return 80, 24
		},
	})
}

// sendOne sends one message, and waits for it to arrive if it is to.
func (a *app) sendOne(ctx context.Context, c *client.Client, b api.Buddy, f chatFlags) error {
	text := f.send
	if text == "-" {
		all, err := io.ReadAll(io.LimitReader(a.in, api.MaxMessage+2))
		if err != nil {
			return err
		}
		text = string(all)
		if n := len(text); n > 0 && text[n-1] == '\n' {
			text = text[:n-1]
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	m, err := c.Send(ctx, b.Account, text)
	if err != nil {
		return err
	}
	if f.wait > 0 {
		if m, err = awaitArrival(ctx, c, b, m, st.Event, time.Duration(f.wait)); err != nil {
			return err
		}
	}
	return a.print(m, func(w io.Writer) { fmt.Fprintln(w, m.Delivery) })
}

// awaitArrival waits until a message is on a device of the other account.
func awaitArrival(ctx context.Context, c *client.Client, b api.Buddy, m api.Message, since uint64, wait time.Duration) (api.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, wire.Timeout)
	defer cancel()
	find := func() error {
		page, err := c.Messages(ctx, b.Account, api.MessagesQuery{Limit: 100})
		for _, x := range page.Messages {
			if x.ID == m.ID {
				m = x
			}
		}
		return err
	}
	for e, err := range c.Events(ctx, since, b.Account) {
		if err == nil && (e.Kind == api.EventMark && e.Account == b.Account || e.Kind == api.EventGap || e.Kind == api.EventLost) {
			err = find()
		}
		switch {
		case m.Delivery != api.DeliveryKept:
			return m, nil
		case context.Cause(ctx) == error(wire.Timeout):
			return m, wire.Errorf(wire.Timeout, "the message has not arrived within %v; it is kept, and arrives when both are there", wait).
				WithNext("do not send it again; panpipe buddy ls tells who is there")
		case err != nil:
			return m, err
		}
	}
	return m, ctx.Err()
}
