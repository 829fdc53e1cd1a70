package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// bufferSize is what one read or write between a pipe and the standard streams
// may carry.
const bufferSize = 256 << 10

// plumb copies in to the connection and the connection to out, like netcat: at
// the end of in it ends its half, and it returns when the far side has ended
// too. A connection that is cut is an error, and is not taken for an end.
//
// If broken is not nil, it ends in; it is called when the connection is cut,
// and plumb returns when nothing reads in any more.
func (a *app) plumb(ctx context.Context, c *client.Conn, in io.Reader, broken func()) error {
	stop := context.AfterFunc(ctx, c.Reset)
	defer stop()
	input := newCountingReader(in)
	sent, heard := make(chan error, 1), make(chan error, 1)
	go func() { sent <- send(c, input) }() // may not end before the process: a terminal cannot be interrupted
	go func() {
		_, err := io.CopyBuffer(onlyWriter{a.out}, onlyReader{c}, make([]byte, bufferSize))
		heard <- err
	}()
	err := bothHalves(ctx, sent, heard)
	if err == nil {
		return c.Close()
	}
	c.Reset()
	if broken != nil {
		broken()
		<-input.ended
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return cutError(input.n.Load(), err)
}

// lastWords is how long what the far side has still sent may take to be
// written, once the connection is known to be cut.
const lastWords = 2 * time.Second

// bothHalves waits until both halves have ended well, or one has failed. After
// a failure of the sending half what has been received is still written.
func bothHalves(ctx context.Context, sent, heard <-chan error) error {
	for sent != nil || heard != nil {
		select {
		case err := <-heard:
			if err != nil {
				return err
			}
			heard = nil
		case err := <-sent:
			if err == nil {
				sent = nil
				continue
			}
			select {
			case <-heard: // nil, if that half has ended before
			case <-time.After(lastWords):
			case <-ctx.Done():
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// cutError tells how far a connection that was cut had come. A standard stream
// that fails is no cut.
func cutError(sent int64, err error) error {
	var told *wire.Error
	if !errors.As(err, &told) {
		return err
	}
	return wire.Errorf(wire.CodeOf(err), "connection cut: sent %d bytes, which may not all have arrived: %w", sent, err).
		WithNext("see what arrived at the far side before sending it again")
}

// send copies in to c and ends c's half.
func send(c *client.Conn, in *countingReader) error {
	defer in.end()
	if _, err := io.CopyBuffer(onlyWriter{c}, onlyReader{in}, make([]byte, bufferSize)); err != nil {
		return err
	}
	return c.CloseWrite()
}

// countingReader counts what is read, and tells when nobody reads any more.
type countingReader struct {
	r     io.Reader
	n     atomic.Int64
	ended chan struct{}
}

func newCountingReader(r io.Reader) *countingReader {
	return &countingReader{r: r, ended: make(chan struct{})}
}

func (c *countingReader) end() { close(c.ended) }

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
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
	kept   []byte // came when the last reader was done; owned by the reader
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
		r.rest, r.feed.kept = r.feed.kept, nil
	}
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
	select {
	case <-r.done: // the rest is for the next reader
		r.feed.kept = r.rest
		return 0, io.EOF
	default:
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
