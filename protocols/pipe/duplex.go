package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// duplexBuffer is how many bytes wait in each direction of a duplex.
const duplexBuffer = 64 << 10

// newDuplex returns the two ends of a stream within the process.
func newDuplex() (a, b stream) {
	there, back := newOneWay(), newOneWay()
	return duplex{in: back, out: there}, duplex{in: there, out: back}
}

// duplex is one end.
type duplex struct{ in, out *oneWay }

func (d duplex) Read(b []byte) (int, error)  { return d.in.read(b) }
func (d duplex) Write(b []byte) (int, error) { return d.out.write(b) }
func (d duplex) CloseWrite() error           { d.out.end(io.EOF, net.ErrClosed); return nil }

// Close ends both directions: the other side reads what is buffered, then
// io.EOF, and its writes fail.
func (d duplex) Close() error {
	d.in.end(net.ErrClosed, network.ErrReset)
	return d.CloseWrite()
}

func (d duplex) Reset() error {
	d.resetWith(network.ErrReset)
	return nil
}

// resetWith has both sides fail with err.
func (d duplex) resetWith(err error) {
	d.in.drop(err)
	d.out.drop(err)
}

func (d duplex) SetReadDeadline(t time.Time) error  { d.in.reads.set(t); return nil }
func (d duplex) SetWriteDeadline(t time.Time) error { d.out.writes.set(t); return nil }

// oneWay is a bounded buffer of bytes between a reader and a writer.
type oneWay struct {
	reads, writes *deadline

	mu       sync.Mutex
	buf      []byte
	readErr  error         // what a reader gets after the buffer; nil while open
	writeErr error         // what a writer gets; nil while open
	changed  chan struct{} // closed and renewed at every change
	dropped  chan struct{} // closed by drop
}

func newOneWay() *oneWay {
	return &oneWay{reads: newDeadline(), writes: newDeadline(), changed: make(chan struct{}), dropped: make(chan struct{})}
}

func (w *oneWay) read(b []byte) (int, error) {
	for {
		w.mu.Lock()
		late := w.reads.wait()
		switch {
		case isClosed(late):
			w.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(w.buf) > 0 || len(b) == 0:
			n := copy(b, w.buf)
			w.buf = w.buf[n:]
			w.changeLocked()
			w.mu.Unlock()
			return n, nil
		case w.readErr != nil:
			defer w.mu.Unlock()
			return 0, w.readErr
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (w *oneWay) write(b []byte) (written int, err error) {
	for {
		w.mu.Lock()
		late := w.writes.wait()
		switch {
		case w.writeErr != nil:
			defer w.mu.Unlock()
			return written, w.writeErr
		case isClosed(late):
			w.mu.Unlock()
			return written, os.ErrDeadlineExceeded
		}
		n := min(len(b), duplexBuffer-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		written, b = written+n, b[n:]
		if n > 0 {
			w.changeLocked()
		}
		changed := w.changed
		w.mu.Unlock()
		if len(b) == 0 {
			return written, nil
		}
		select {
		case <-changed:
		case <-late:
			return written, os.ErrDeadlineExceeded
		}
	}
}

// end says what readers and writers get from now on; the first word stands.
func (w *oneWay) end(readErr, writeErr error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readErr == nil {
		w.readErr = readErr
	}
	if w.writeErr == nil {
		w.writeErr = writeErr
	}
	w.changeLocked()
}

// drop ends it with err, the first time, and loses what is buffered.
func (w *oneWay) drop(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if isClosed(w.dropped) {
		return
	}
	close(w.dropped)
	w.buf, w.readErr, w.writeErr = nil, err, err
	w.changeLocked()
}

func (w *oneWay) changeLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}
