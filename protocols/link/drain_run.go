package link

import (
	"io"
	"net"
	"sync"
)

const (
	drainParts = 16        // pieces that are written at a time, at most
	drainBytes = 256 << 10 // the same, unless one is larger
)

// drainRoom is what a goroutine that writes needs.
type drainRoom struct {
	parts [drainParts]part
	bytes [drainParts][]byte
	bufs  net.Buffers
}

var drainRooms = sync.Pool{New: func() any { return new(drainRoom) }}

// begin begins the goroutine of a drain that is busy; nil is none.
func (d *drain) begin() {
	if d != nil {
		go d.run()
	}
}

// run is the goroutine.
func (d *drain) run() {
	room := drainRooms.Get().(*drainRoom)
	err := d.through(room)
	drainRooms.Put(room)
	if err != nil {
		d.end(err)
	}
}

// through writes until nothing is left, when its error is nil, there is no more,
// or it cannot. At the end of the stream the error is io.EOF.
func (d *drain) through(room *drainRoom) error {
	for {
		rest, parts, err := d.next(room)
		switch {
		case err != nil:
			return err
		case len(rest) > 0:
			var n int
			n, err = d.w.Write(rest)
			d.total += int64(n)
		case len(parts) > 0:
			err = d.write(room, parts)
		default:
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // it is not that of the stream
		}
		if err != nil {
			d.err = err
			return err
		}
	}
}

// write writes parts and gives their memory back.
func (d *drain) write(room *drainRoom, parts []part) error {
	for i := range parts {
		room.bytes[i] = parts[i].bytes()
	}
	room.bufs = room.bytes[:len(parts)]
	n, err := room.bufs.WriteTo(d.w)
	clear(room.bytes[:len(parts)])
	for i := range parts {
		parts[i].c.free()
		parts[i] = part{}
	}
	d.total += n
	return err
}

// next takes what there is, within reason: first the rest of what went past the
// queue. With nothing the goroutine is over. The error is that of Read.
func (d *drain) next(room *drainRoom) (rest []byte, parts []part, err error) {
	l := d.l
	l.mu.Lock()
	d.missed = false
	rest, parts, err = d.takeLocked(room)
	if len(rest) == 0 && len(parts) == 0 && err == nil {
		d.busy = false
		l.mu.Unlock()
		return nil, nil, nil
	}
	l.unlock(false)
	return rest, parts, err
}

func (d *drain) takeLocked(room *drainRoom) (rest []byte, parts []part, err error) {
	switch {
	case d.err != nil:
		return nil, nil, d.err
	case len(d.rest) > 0: // it counts as read: no deadline may come in between
		rest, d.rest = d.rest, nil
		return rest, nil, nil
	}
	if err := d.l.usable(&d.l.reads); err != nil {
		return nil, nil, err
	}
	parts, eof, err := d.l.m.takeParts(room.parts[:0], drainBytes)
	if eof {
		err = io.EOF
	}
	return nil, parts, err
}

// end ends the call.
func (d *drain) end(err error) {
	l := d.l
	defer l.links.running.Done()
	switch {
	case err == io.EOF:
		err = nil
	case d.err != nil && d.wake.was(): // what w says is an echo of it
		err = l.unreadable()
	}
	d.wake.end()
	l.mu.Lock()
	l.drain = nil
	l.mu.Unlock()
	d.done(d.total, err)
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
