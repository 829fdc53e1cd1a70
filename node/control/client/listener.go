package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxLine caps one line of a listen stream, in bytes.
const maxLine = 64 << 10

// Listener is a bound pipe. It is a net.Listener. The binding lasts until
// Close, or until the ctx given to Listen ends.
type Listener struct {
	client *Client
	pipe   string
	id     string // of this listen; empty from a node that gives none
	ctx    context.Context
	cancel context.CancelFunc
	body   io.Closer

	accepting sync.Mutex
	lines     *bufio.Scanner // guarded by accepting

	mu       sync.Mutex
	replaced chan struct{}
	why      error // guarded by mu: what Accept returns once it has failed
}

// Listen binds a pipe and returns when that is done. ctx ends the binding too.
func (c *Client) Listen(ctx context.Context, ref string, q api.ListenRequest) (*Listener, error) {
	ctx, cancel := context.WithCancel(ctx)
	answer, err := c.open(ctx, http.MethodPost, pipeRoute(ref, "/listen"), nil, q)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &Listener{client: c, ctx: ctx, cancel: cancel, body: answer.Body, lines: bufio.NewScanner(answer.Body), replaced: make(chan struct{})}
	l.lines.Buffer(nil, maxLine)
	first, err := l.next()
	if err == nil && first.Kind != api.ListenBound {
		err = wire.Errorf(wire.Internal, "the node began a listen with %q", first.Kind)
	}
	if err != nil {
		cancel()
		answer.Body.Close()
		return nil, err
	}
	l.pipe, l.id = first.Pipe, first.Listen
	return l, nil
}

// Pipe is the ID of the bound pipe.
func (l *Listener) Pipe() string { return l.pipe }

// Replaced is closed when another binder has taken the pipe, which is seen
// while somebody waits in Accept.
func (l *Listener) Replaced() <-chan struct{} { return l.replaced }

// Accept waits for the next connection. A connection waits ten seconds at most
// for somebody to call Accept. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) { return l.AcceptConn() }

// AcceptConn is Accept for callers who need half-close.
func (l *Listener) AcceptConn() (*Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for {
		e, err := l.next()
		if err != nil {
			return nil, l.fail(err)
		}
		switch e.Kind {
		case api.ListenReplaced:
			l.mu.Lock()
			l.why = e.Problem.Err()
			l.mu.Unlock()
			close(l.replaced)
		case api.ListenClosed:
			return nil, l.fail(e.Problem.Err())
		case api.ListenConnection:
			c, err := l.client.Take(l.ctx, e.Connection.ID)
			if err == nil {
				return c, nil
			}
			// Too late for this one, or its dialer has left; the next is as good.
			if code := wire.CodeOf(err); code != wire.Gone && code != wire.Unknown {
				return nil, l.fail(err)
			}
		}
	}
}

// next reads one line of the stream.
func (l *Listener) next() (api.ListenEvent, error) {
	var e api.ListenEvent
	if !l.lines.Scan() {
		if err := l.lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return e, err
		}
		return e, wire.Errorf(wire.Closed, "the node has left, and the pipe is no longer served")
	}
	if err := json.Unmarshal(l.lines.Bytes(), &e); err != nil {
		return e, wire.Errorf(wire.Internal, "the node's listen stream cannot be read: %w", err)
	}
	return e, nil
}

// fail keeps the first reason and returns it.
func (l *Listener) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = err
		if l.ctx.Err() != nil || err == nil || errors.Is(err, context.Canceled) {
			l.why = net.ErrClosed
		}
	}
	return l.why
}

// closeTimeout bounds the wait for a binding to be withdrawn.
const closeTimeout = 10 * time.Second

// Close withdraws this listener's own binding and drops what nobody has accepted. When it
// returns the pipe is free, unless the node has not managed it within ten
// seconds. It may be called more than once.
func (l *Listener) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	l.fail(net.ErrClosed) //nolint:errcheck // what Accept returns from now on
	err := l.client.call(ctx, http.MethodDelete, pipeRoute(l.pipe, "/listen"), api.EncodeQuery(api.UnlistenQuery{Listen: l.id}), nil, nil)
	l.cancel()
	l.body.Close()
	switch wire.CodeOf(err) {
	case wire.Unknown, wire.NotReady, wire.Closed:
		return nil // it has ended already, or the node has
	}
	return err
}

// Addr names the pipe.
func (l *Listener) Addr() net.Addr { return addr(l.pipe) }

type addr string

func (addr) Network() string  { return "pipe" }
func (a addr) String() string { return "pipe:" + string(a) }
