package main

import (
	"context"
	"errors"
	"net"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newListen(a *app) *cobra.Command {
	var q api.ListenRequest
	var keep bool
	cmd := &cobra.Command{
		Use:   "listen PIPE",
		Short: "Serve a pipe on standard input and output",
		Long: "Binds a pipe and serves one connection on standard input and output, then exits.\n" +
			"With --keep it goes on: connections are served one after another, and each gets\n" +
			"what arrives on standard input meanwhile, until standard input ends or the far\n" +
			"side has gone; a far side that has only ended its own data still reads. So a\n" +
			"listener that only takes wants </dev/null. What went into a connection that was\n" +
			"cut is told on standard error as lost, and is not sent again. When another binder\n" +
			"takes the pipe, that is told at once; the connections that it has are still served.\n" +
			"With --json or -v, what happens is told on standard error.\n\n" +
			"The owner of a pipe needs no --cap; anybody else takes one from panpipe pipe grant.",
		Args: takes("PIPE"),
		RunE: does(func(cmd *cobra.Command, args []string) error {
			if err := notZero(cmd.Flags(), "life", "term"); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			l, err := c.Listen(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			defer l.Close()
			a.tellBound(l.Pipe())
			if keep {
				return a.serveAll(cmd.Context(), l)
			}
			conn, err := accept(cmd.Context(), l)
			if err != nil {
				return err
			}
			a.tellConnection(cmd.Context(), "accepted", conn)
			return a.plumb(cmd.Context(), conn, a.in, nil)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&keep, "keep", false, "serve one connection after another")
	f.StringVar(&q.Capability, "cap", "", "the owner's permission to bind")
	f.StringSliceVar(&q.Allow, "allow", nil, "let this principal dial, where the pipe's policy is not open (repeated)")
	spanVar(f, &q.Life, "life", "life of each binding record, such as 5m (default 30m)")
	f.BoolVar(&q.Raw, "raw", false, "serve raw streams, which end with their path")
	spanVar(f, &q.Grace, "grace", "how long a connection waits for another path when its path is lost (default what the dialer asks)")
	f.Uint64Var(&q.Term, "term", 0, "term of the owner's own binding (default as high as needed)")
	return cmd
}

func (a *app) tellBound(pipe string) {
	if a.json && !a.quiet {
		a.printJSON(a.err, struct { //nolint:errcheck // stderr has gone; there is nobody to tell
			Event string `json:"event"`
			Pipe  string `json:"pipe"`
		}{"bound", pipe})
		return
	}
	a.progress("listening on pipe:%s", pipe)
}

// accept waits for a connection; a signal ends it as what it is.
func accept(ctx context.Context, l *client.Listener) (*client.Conn, error) {
	conn, err := l.AcceptConn()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return conn, err
}

// serveAll serves connections one after another. They are taken at once, so
// that none is lost while another is served. The end of the listen is told at
// once, and what has been taken is still served.
func (a *app) serveAll(ctx context.Context, l *client.Listener) error {
	queue := make(chan *client.Conn, 64)
	var ended error // set before queue is closed
	go func() {     // ends with the listener
		defer close(queue)
		for {
			conn, err := l.AcceptConn()
			if err != nil {
				ended = a.tellListenEnded(ctx, err)
				return
			}
			queue <- conn
		}
	}()
	in := newFeed(a.in)
	for conn := range queue {
		a.tellConnection(ctx, "accepted", conn)
		if err := a.serveOne(ctx, conn, in); err != nil && ctx.Err() == nil {
			a.report(err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return ended
}

// tellListenEnded reports why no more connections come, unless that was a
// signal, and returns it as told.
func (a *app) tellListenEnded(ctx context.Context, err error) error {
	if errors.Is(err, net.ErrClosed) {
		err = wire.Errorf(wire.Closed, "the node has ended the listen")
	}
	if ctx.Err() == nil {
		a.report(err)
	}
	return errReported{err}
}

// serveOne serves one connection on the standard streams. It is over when both
// sides have ended, or when it is cut: standard input is for the next one then.
func (a *app) serveOne(ctx context.Context, conn *client.Conn, in *feed) error {
	done := make(chan struct{})
	return a.plumb(ctx, conn, in.reader(done), func() { close(done) })
}
