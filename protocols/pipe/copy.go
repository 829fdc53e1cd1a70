package pipe

import (
	"io"

	"github.com/panpipe-net/panpipe/protocols/link"
)

// What ReadFrom reads at a time before the far side has accepted: little, since a
// source that never says a word holds it, and more from one that has much to say.
const (
	earlyChunk  = 512
	earlyChunks = 8 << 10
)

// copyChunk is what is copied at a time where the carrier cannot do it itself.
const copyChunk = 32 << 10

// ReadFrom writes what r has until r ends, without a copy where the carrier can
// do so. It fails as Write does, or with r's error. Other writes may come
// between.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	if !isClosed(c.settled) {
		ended := false
		if n, ended, err = c.readEarly(r); ended || err != nil {
			return n, err
		}
	}
	st, err := c.carrier()
	if err != nil {
		return n, err
	}
	if direct, ok := st.direct().(io.ReaderFrom); ok && !c.endedWriting() {
		more, err := direct.ReadFrom(r)
		return n + more, c.ioError(err)
	}
	more, err := io.CopyBuffer(onlyWriter{c}, r, make([]byte, copyChunk))
	return n + more, err
}

// readEarly is ReadFrom until the far side has accepted. Its buffer is gone after.
func (c *Conn) readEarly(r io.Reader) (n int64, ended bool, err error) {
	small := make([]byte, earlyChunk)
	for !isClosed(c.settled) {
		read, readErr := link.ReadOr(r, small, c.flush)
		if read > 0 {
			written, err := c.Write(small[:read])
			n += int64(written)
			if err != nil {
				return n, false, err
			}
		}
		switch {
		case readErr == io.EOF:
			return n, true, nil
		case readErr != nil:
			return n, false, readErr
		case read == earlyChunk && len(small) == earlyChunk:
			small = make([]byte, earlyChunks)
		}
	}
	return n, false, nil
}

// flush sends what has waited for more.
func (c *Conn) flush() {
	if st, _ := c.carrier(); st.late && st.link != nil {
		st.link.Flush()
	}
}

// WriteTo writes what the far side sends to w until its end, without a copy
// where the carrier can do so. It fails as Read does, or with w's error.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if err := c.waitSettled(&c.reads); err != nil {
		return 0, err
	}
	st, err := c.carrier()
	if err != nil {
		return 0, err
	}
	if direct, ok := st.direct().(io.WriterTo); ok {
		n, err := direct.WriteTo(w)
		return n, c.ioError(err)
	}
	return io.CopyBuffer(w, onlyReader{c}, make([]byte, copyChunk))
}

// Drain is WriteTo for who does not wait: a link needs no goroutine for it while
// nothing comes. Done is called once, on a goroutine of its own, with what
// WriteTo returns. Until the far side has accepted or refused, nothing else ends
// it.
func (c *Conn) Drain(w io.Writer, done func(n int64, err error)) {
	if c.whenSettled(func() { c.drain(w, done) }) {
		return
	}
	c.drain(w, done)
}

// whenSettled has f called when the opening has ended; false if it has already.
func (c *Conn) whenSettled(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isClosed(c.settled) {
		return false
	}
	c.pending = append(c.pending, f)
	return true
}

// drain is Drain once the opening has ended.
func (c *Conn) drain(w io.Writer, done func(n int64, err error)) {
	st, err := c.carrier()
	switch {
	case err != nil:
	case st.link == nil:
		go func() { done(c.WriteTo(w)) }()
		return
	default:
		err = st.link.Drain(w, func(n int64, err error) { done(n, c.ioError(err)) })
	}
	if err != nil {
		go done(0, c.ioError(err))
	}
}

// direct is what may copy by itself: links alone, which need no turn taken.
func (c carrier) direct() any {
	if c.link == nil {
		return nil
	}
	return c.link
}

// endedWriting reports that CloseWrite was called.
func (c *Conn) endedWriting() bool {
	c.writeTurn <- struct{}{}
	defer func() { <-c.writeTurn }()
	return c.writeEnded
}

type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }
