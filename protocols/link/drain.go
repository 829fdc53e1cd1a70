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
	d := drain{w: w}
	for {
		if d.n, err = l.takeParts(d.parts[:0]); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := d.write()
		if total += n; err != nil && wake.was() { // what w says is an echo of it
			err = l.unreadable()
		}
		if err != nil {
			return total, err
		}
	}
}

// drain is one call of WriteTo.
type drain struct {
	w     io.Writer
	n     int // of parts
	parts [drainParts]part
	bytes [drainParts][]byte
	bufs  net.Buffers
}

// write writes the parts and gives their memory back.
func (d *drain) write() (n int64, err error) {
	parts := d.parts[:d.n]
	if len(parts) == 1 {
		var k int
		k, err = d.w.Write(parts[0].bytes())
		n = int64(k)
	} else {
		for i := range parts {
			d.bytes[i] = parts[i].bytes()
		}
		d.bufs = d.bytes[:d.n]
		n, err = d.bufs.WriteTo(d.w)
		clear(d.bytes[:d.n])
	}
	for i := range parts {
		parts[i].c.free()
		parts[i] = part{}
	}
	return n, err
}

// takeParts waits for data and takes what there is, within reason. The error is
// that of Read.
func (l *Link) takeParts(into []part) (n int, err error) {
	l.mu.Lock()
	for {
		if err := l.usable(&l.reads); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		parts, eof, err := l.m.takeParts(into, drainBytes)
		if len(parts) > 0 || eof || err != nil {
			if eof {
				err = io.EOF
			}
			l.unlock(false)
			return len(parts), err
		}
		l.readers.Wait()
	}
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
