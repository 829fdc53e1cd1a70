package link

import (
	"io"
	"net"
)

const (
	drainParts = 16        // pieces that WriteTo writes at a time, at most
	drainBytes = 256 << 10 // the same, unless one is larger
)

// WriteTo writes to w what comes until the far side ends it, and returns how
// much that was. To a *net.TCPConn or *net.UnixConn it goes from where it
// arrived. What w is given counts as read from then on, so that the far side
// sends no faster than w takes it.
//
// It fails as Read does, and when w fails: what w was given then is lost. If the
// link is closed, reset or gone while w is waited for, w is woken by its write
// deadline, if it has one; that is cleared after. Else the link's own deadline
// counts only while it waits for data.
func (l *Link) WriteTo(w io.Writer) (total int64, err error) {
	wake := l.woken(writeDeadlines(w), (*machine).deafIn)
	defer wake.end()
	d := drain{l: l, w: w}
	if raw := rawConn(w); raw != nil {
		d.sink = newSink(raw)
		l.use(d.sink)
		defer l.use(nil)
	}
	err = d.run()
	if d.sink != nil {
		d.total += d.sink.total
	}
	switch {
	case err == io.EOF:
		err = nil
	case d.failed && wake.was(): // what w says is an echo of it
		err = l.unreadable()
	}
	return d.total, err
}

// use has what comes written to s at once where that can be.
func (l *Link) use(s *sink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sink = s
}

// drain is one call of WriteTo.
type drain struct {
	l      *Link
	w      io.Writer
	sink   *sink // nil if there is none
	total  int64
	failed bool // at w
	n      int  // of parts
	parts  [drainParts]part
	bytes  [drainParts][]byte
	bufs   net.Buffers
}

// run writes until there is no more, or it cannot. At the end of the stream the
// error is io.EOF.
func (d *drain) run() error {
	for {
		rest, err := d.next()
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			var n int
			n, err = d.w.Write(rest)
			d.total += int64(n)
		} else {
			err = d.write()
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // it is not that of the stream
		}
		if err != nil {
			d.failed = true
			return err
		}
	}
}

// write writes the parts and gives their memory back.
func (d *drain) write() error {
	parts := d.parts[:d.n]
	for i := range parts {
		d.bytes[i] = parts[i].bytes()
	}
	d.bufs = d.bytes[:d.n]
	n, err := d.bufs.WriteTo(d.w)
	clear(d.bytes[:d.n])
	for i := range parts {
		parts[i].c.free()
		parts[i] = part{}
	}
	d.total += n
	return err
}

// next waits for data and takes what there is, within reason: first the rest of
// what went past the queue. The error is that of Read.
func (d *drain) next() (rest []byte, err error) {
	l, s := d.l, d.sink
	l.mu.Lock()
	for {
		rest, err := d.takeLocked()
		if len(rest) > 0 || d.n > 0 || err != nil {
			l.unlock(false)
			return rest, err
		}
		if s != nil {
			s.waiting = true
		}
		l.readers.Wait()
		if s != nil {
			s.waiting = false
		}
	}
}

// takeLocked is next without waiting.
func (d *drain) takeLocked() (rest []byte, err error) {
	d.n = 0
	if s := d.sink; s != nil {
		switch {
		case s.busy:
			s.missed = true
			return nil, nil
		case s.err != nil:
			d.failed = true
			return nil, s.err
		case len(s.rest) > 0: // it counts as read: no deadline may come in between
			rest, s.rest = s.rest, nil
			return rest, nil
		}
	}
	if err := d.l.usable(&d.l.reads); err != nil {
		return nil, err
	}
	parts, eof, err := d.l.m.takeParts(d.parts[:0], drainBytes)
	if d.n = len(parts); eof {
		err = io.EOF
	}
	return nil, err
}

// unreadable says why the link is of no use to a reader.
func (l *Link) unreadable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	return l.m.over
}
