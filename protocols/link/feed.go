package link

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// ReadFrom sends what it reads from r until r ends, and returns how much that
// was. It does not end what this side sends.
//
// From a *net.TCPConn or *net.UnixConn the bytes go straight into the memory
// that the link sends them from, and none is held while there is nothing to
// read. So it is to be called rather than io.Copy, which hides the type of such
// a conn. From any other reader they are copied, from a small buffer.
//
// It fails as Write does. If the link ends while r is waited for, r is woken by
// its read deadline, if it has one; that is cleared after. Else the link's own
// deadline counts only while it waits for room.
func (l *Link) ReadFrom(r io.Reader) (n int64, err error) {
	w := l.woken(readDeadlines(r), (*machine).deafOut)
	defer w.end()
	if err := l.writable(); err != nil {
		return 0, err
	}
	f := feed{l: l, r: r, size: chunkSizes[1]}
	if raw := rawConn(r); raw != nil {
		n, err = f.raw(raw)
	} else {
		n, err = f.copy()
	}
	if err == io.EOF {
		err = nil
	}
	if w.was() { // what r says is an echo of it
		err = l.writable()
	}
	return n, err
}

// rawConn is what a conn is below, if its bytes may be taken from there: those
// types alone keep none back.
func rawConn(v any) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch c := v.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		if c.LocalAddr().Network() != "unix" { // its messages have bounds
			return nil
		}
		raw, err = c.SyscallConn()
	}
	if err != nil || !rawWorks {
		return nil
	}
	return raw
}

// feed is one call of ReadFrom.
type feed struct {
	l    *Link
	r    io.Reader
	size int // what the next read asks for, in bytes

	// Of one try to read, by raw.
	c    *chunk // what was read, in the first n bytes after its head
	n    int
	full bool
	err  error
}

// adapt chooses the size of the next read by what the last one has filled.
func (f *feed) adapt(n, of int) {
	switch {
	case n == f.size:
		f.size = min(4*f.size, largestChunk-trunk.HeadRoom)
	case n < of/4 && f.size > chunkSizes[0]:
		f.size = max(chunkSizes[0], f.size/4)
	}
}

// raw reads into memory of the link's own.
func (f *feed) raw(raw syscall.RawConn) (total int64, err error) {
	try := f.try
	for {
		f.c, f.n, f.full, f.err = nil, 0, false, nil
		if err := raw.Read(try); err != nil {
			return total, err
		}
		switch {
		case f.full:
			err = f.l.awaitRoom(f.leastRoom())
		case f.c != nil:
			n := f.n
			if err = f.l.put(f.c, n); err == nil {
				total += int64(n)
			}
		default:
			err = f.err
		}
		if err != nil {
			return total, err
		}
	}
}

// leastRoom is the room that a read is worth: more comes before all that is on
// its way was read.
func (f *feed) leastRoom() int { return min(f.size, chunkSizes[1]) }

// try reads once, and reports whether that is settled: it is not when there is
// nothing to read. It takes the writers' turn if it reads something.
func (f *feed) try(fd uintptr) (done bool) {
	room, err := f.l.claim(f.size, f.leastRoom())
	if room == 0 || err != nil {
		f.full, f.err = err == nil, err
		return true
	}
	c := newChunk(f.size)
	b := c.b[c.head():]
	b = b[:min(len(b), f.size, room)]
	n, err := readRaw(fd, b)
	if n > 0 {
		f.c, f.n = c, n
		f.adapt(n, len(b))
		return true
	}
	c.free()
	f.l.unclaim()
	f.err = err
	return !errors.Is(err, errNothing)
}

// copy reads into memory that is held meanwhile.
func (f *feed) copy() (total int64, err error) {
	for {
		c := newChunk(f.size)
		b := c.b[c.head():]
		b = b[:min(len(b), f.size)]
		n, err := f.r.Read(b)
		if n > 0 {
			f.adapt(n, len(b))
			sent, failed := f.l.Write(b[:n])
			if total += int64(sent); failed != nil {
				err = failed
			}
		}
		c.free()
		if err != nil {
			return total, err
		}
	}
}

// claim takes the writers' turn if it is free and there is room for least bytes
// at least, and tells how many there is room for; else it is 0. Who gets room
// has to put something or unclaim.
func (l *Link) claim(want, least int) (room int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room, err = l.roomLocked(want)
	if err != nil || l.writing || room < least {
		return 0, err
	}
	l.writing = true
	return room, nil
}

// unclaim gives the turn back: there is nothing to be put. What waits for the
// first words of who has opened the link goes without them.
func (l *Link) unclaim() {
	l.mu.Lock()
	l.writing = false
	if l.m.dialer {
		l.hurryLocked()
	}
	l.m.fx.writable = true
	l.unlock(false)
}

// roomLocked is how many bytes may be written now, or why none ever.
func (l *Link) roomLocked(want int) (int, error) {
	if err := l.usable(&l.writes); err != nil {
		return 0, err
	}
	return l.m.room(want)
}

// awaitRoom waits until claim may give something.
func (l *Link) awaitRoom(least int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		room, err := l.roomLocked(least)
		if err != nil || (room >= least && !l.writing) {
			return err
		}
		l.writers.Wait()
	}
}

// put sends the first n bytes after the head of c, for which there is room, and
// ends the writers' turn. It owns c.
func (l *Link) put(c *chunk, n int) error {
	l.mu.Lock()
	for {
		err := l.usable(&l.writes)
		taken := false
		if err == nil {
			l.hurryLocked()
			taken, err = l.m.put(c, n)
		}
		if taken || err != nil {
			if !taken {
				c.free()
			}
			l.writing = false
			l.m.fx.writable = true // the next writer's turn
			l.unlock(false)
			return err
		}
		l.writers.Wait() // it is frozen
	}
}

// writable says why nothing can be written any more; nil if something can.
func (l *Link) writable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.roomLocked(0)
	return err
}
