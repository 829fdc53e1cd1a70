package records

import (
	"net"
	"sync"
)

const (
	recordSize = 16<<10 + 22    // on the wire, of TLS 1.3, with header, type and tag
	heldSize   = 4 * recordSize // that go by one call: a full frame of the muxer
	aheadSize  = 4 * recordSize // that are read by one call
)

var (
	heldPool  = sync.Pool{New: func() any { return new([heldSize]byte) }}
	aheadPool = sync.Pool{New: func() any { return new([aheadSize]byte) }}
)

// gathered is the connection below TLS. It has no memory of its own while
// nothing is held back and nothing was read ahead.
type gathered struct {
	net.Conn

	mu     sync.Mutex // TLS may write alerts while others write
	corked bool
	held   *[heldSize]byte // [:n] waits to be written
	n      int
	err    error // why nothing can be written any more

	ahead *[aheadSize]byte // [r:w] was read, and not asked for yet; owned by who reads
	r, w  int
	more  bool // the last read was filled: there is likely more
}

// Write writes b, or holds it back.
func (g *gathered) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return 0, g.err
	case !g.corked:
		return g.Conn.Write(b)
	case g.n+len(b) > heldSize:
		if err := g.flushLocked(); err != nil {
			return 0, err
		}
	}
	if len(b) > heldSize {
		return g.Conn.Write(b)
	}
	if g.held == nil {
		g.held = heldPool.Get().(*[heldSize]byte)
	}
	g.n += copy(g.held[g.n:], b)
	return len(b), nil
}

func (g *gathered) cork() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.corked = true
}

func (g *gathered) uncork() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.corked = false
	return g.flushLocked()
}

// flushLocked writes what is held back. What fails once fails for ever: TLS
// counts the records as written.
func (g *gathered) flushLocked() error {
	if g.held == nil || g.err != nil {
		return g.err
	}
	_, g.err = g.Conn.Write(g.held[:g.n])
	heldPool.Put(g.held)
	g.held, g.n = nil, 0
	return g.err
}

// Read reads what was read ahead, else from the connection: straight to b while
// little comes, so that who waits for the first byte holds no memory.
func (g *gathered) Read(b []byte) (n int, err error) {
	if g.r == g.w && (!g.more || len(b) >= aheadSize) {
		n, err = g.Conn.Read(b)
		g.more = n == len(b)
		return n, err
	}
	if g.r == g.w {
		if g.ahead == nil {
			g.ahead = aheadPool.Get().(*[aheadSize]byte)
		}
		g.r = 0
		g.w, err = g.Conn.Read(g.ahead[:])
		g.more = g.w == aheadSize
		if g.w > 0 {
			err = nil // the next read says it again
		}
	}
	n = copy(b, g.ahead[g.r:g.w])
	g.r += n
	if g.r == g.w && !g.more {
		aheadPool.Put(g.ahead)
		g.ahead, g.r, g.w = nil, 0, 0
	}
	return n, err
}
