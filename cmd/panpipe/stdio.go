package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/panpipe-net/panpipe/node/control/client"
)

// bufferSize is what one read or write between a pipe and the standard streams
// may carry.
const bufferSize = 256 << 10

// plumb copies in to the connection and the connection to out, like netcat: at
// the end of in it ends its half, and it returns when the far side has ended
// too. A connection that is cut is an error, and is not taken for an end. When
// the far side has ended, farEnded is called, if it is not nil; it may end in.
func (a *app) plumb(ctx context.Context, c *client.Conn, in io.Reader, farEnded func()) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	sent := make(chan error, 1)
	go func() { // ends with the process if in never does: a terminal cannot be interrupted
		sent <- send(c, in)
	}()
	_, err := io.CopyBuffer(onlyWriter{a.out}, onlyReader{c}, make([]byte, bufferSize))
	if farEnded != nil {
		farEnded()
	}
	if err == nil {
		select {
		case err = <-sent:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// send copies in to c and ends c's half.
func send(c *client.Conn, in io.Reader) error {
	_, err := io.CopyBuffer(onlyWriter{c}, onlyReader{in}, make([]byte, bufferSize))
	if isBroken(err) {
		// The far side takes no more. What it has to say about that comes with
		// its end.
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil && !isBroken(err) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// onlyReader and onlyWriter hide short cuts of io.Copy that would use smaller
// buffers.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// feed hands one standard input to one connection after another: each gets
// what is read while it is the current one, and the end once it has come.
type feed struct {
	once   sync.Once
	in     io.Reader
	chunks chan []byte
}

func newFeed(in io.Reader) *feed { return &feed{in: in, chunks: make(chan []byte)} }

// reader gives what comes from now on; it ends when done is closed.
func (f *feed) reader(done <-chan struct{}) io.Reader {
	f.once.Do(func() {
		go func() { // as in plumb
			defer close(f.chunks)
			for {
				b := make([]byte, bufferSize)
				n, err := f.in.Read(b)
				if n > 0 {
					f.chunks <- b[:n]
				}
				if err != nil {
					return
				}
			}
		}()
	})
	return &feedReader{feed: f, done: done}
}

type feedReader struct {
	feed *feed
	done <-chan struct{}
	rest []byte
}

func (r *feedReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		select {
		case chunk, ok := <-r.feed.chunks:
			if !ok {
				return 0, io.EOF
			}
			r.rest = chunk
		case <-r.done:
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
