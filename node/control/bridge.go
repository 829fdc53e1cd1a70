package control

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// local is the program's side of a connection that passes through the API.
type local interface {
	io.Reader
	io.Writer
	// CloseWrite ends the data to the program.
	CloseWrite() error
	// Gone returns when the program has left, or after End. It may be called
	// once Read has returned io.EOF.
	Gone()
	// End closes both halves. A nil cause is a good end.
	End(cause error)
}

// far is the pipe's side.
type far interface {
	io.Reader
	io.Writer
	CloseWrite() error
	Reset()
	Close() error
}

// counters count the bytes of one connection.
type counters struct{ sent, received atomic.Int64 }

// errGone is what the far side's user is told nothing of: the program left.
func errGone() error {
	return wire.Errorf(wire.Closed, "the local program left before the connection had ended")
}

// bridge carries bytes both ways until both have ended, or one side has
// failed; then it drops the other. It closes both and returns why it failed.
func bridge(l local, f far, c *counters) error {
	b := &bridging{local: l, far: f}
	var halves, watch sync.WaitGroup
	halves.Go(func() {
		if err := pump(f, l, &c.sent); err != nil {
			b.fail(err)
			return
		}
		if err := f.CloseWrite(); err != nil {
			b.fail(err)
			return
		}
		watch.Go(func() {
			if l.Gone(); !b.toldAll.Load() {
				b.fail(errGone())
			}
		})
	})
	halves.Go(func() {
		if err := pump(l, f, &c.received); err != nil {
			b.fail(err)
			return
		}
		b.toldAll.Store(true)
		if err := l.CloseWrite(); err != nil {
			b.fail(errGone())
		}
	})
	halves.Wait()
	b.toldAll.Store(true)
	if b.cause == nil {
		l.End(nil)
		f.Close()
	}
	watch.Wait()
	return b.cause
}

// bridging is the state that the halves of a bridge share.
type bridging struct {
	local   local
	far     far
	toldAll atomic.Bool // the program has all bytes of the far side
	once    sync.Once
	cause   error // written once, read after the halves have ended
}

// fail drops both sides, the first time.
func (b *bridging) fail(err error) {
	b.once.Do(func() {
		b.cause = err
		b.far.Reset()
		b.local.End(err)
	})
}

const (
	firstBuffer = 16 << 10  // what an idle connection costs, each way
	lastBuffer  = 256 << 10 // what a busy one grows to
)

// pump copies from r to w until r ends. It begins with a small buffer, which
// grows while reads fill it: many connections are idle, few are fast.
func pump(w io.Writer, r io.Reader, count *atomic.Int64) error {
	buf := make([]byte, firstBuffer)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return sideError(w, werr)
			}
			count.Add(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return sideError(r, err)
		}
		if n == len(buf) && n < lastBuffer {
			buf = make([]byte, 4*n)
		}
	}
}

// sideError tells a failure of the program's side as what it is; one of the
// far side speaks for itself.
func sideError(side any, err error) error {
	if _, isLocal := side.(local); !isLocal {
		return err
	}
	var told *wire.Error
	if errors.As(err, &told) {
		return err
	}
	return errGone()
}
