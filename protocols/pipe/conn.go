package pipe

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxEarly is how many bytes a dialer may write before the far side has
// accepted. They are kept until then, so that they can be sent again to
// whoever serves the pipe now; a writer of more waits. A link takes them behind
// an Open of such a pipe without waiting, so that settle is not held up.
const maxEarly = link.Head - 1<<10

// earlyRoom is what an Open with this capability and device log leaves of it.
func earlyRoom(capability []byte, as *identity.DeviceLog) int {
	room := maxEarly - len(capability)
	if as != nil {
		room -= len(as.Bytes())
	}
	return room
}

// Conn is a connection to the other end of a pipe: a net.Conn with half-close.
// Its methods may be called from several goroutines at once.
//
//	opening ── accepted ──▶ settled ── Close, Reset ──▶ closed
//	   └────── refused ───▶ settled, every call fails with the reason
//
// While opening, what is written flies behind the Open message and is kept;
// the goroutine that opens may swap the carrier below and send it again.
type Conn struct {
	// Fixed after newConn.
	pipe    ID
	self    peer.ID
	local   identity.Principal
	served  bool   // this is the end of who listens
	waits   share  // until it is accepted
	room    int    // for what is written while opening, at most maxEarly
	abort   func() // ends the opening
	onClose func()

	readTurn, writeTurn chan struct{} // one reader and one writer of the carrier at a time
	reads, writes       deadline
	settled             chan struct{} // closed when the far side has accepted, or nobody will
	closed              chan struct{} // closed by Close and Reset
	closeOnce           sync.Once

	// Guarded by writeTurn.
	early      []byte // written while opening
	writeEnded bool

	mu sync.Mutex // guards what follows
	// The carrier changes only while opening, under writeTurn as well.
	c      carrier
	remote identity.Principal
	open   bool  // accepted: the carrier's deadlines are the user's
	err    error // why the opening failed
	// Called when it has ended.
	pending []func()
	before  transferred
}

func newConn(id ID, self peer.ID, c carrier, local, remote identity.Principal) *Conn {
	conn := &Conn{
		pipe: id, self: self, local: local, remote: remote, c: c, room: maxEarly,
		abort: func() {}, onClose: func() {},
		readTurn: make(chan struct{}, 1), writeTurn: make(chan struct{}, 1),
		settled: make(chan struct{}), closed: make(chan struct{}),
	}
	conn.beginOutLocked()
	return conn
}

// Read reads data, or fails with io.EOF at the far side's CloseWrite or Close,
// os.ErrDeadlineExceeded, net.ErrClosed, wire.Gone when the connection was lost
// (and, if it is a link, not taken up again in its time of grace), or the reason
// why the pipe could not be opened.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.take(c.readTurn, &c.reads); err != nil {
		return 0, err
	}
	defer func() { <-c.readTurn }()
	if err := c.waitSettled(&c.reads); err != nil {
		return 0, err
	}
	st, err := c.carrier()
	if err != nil || len(b) == 0 {
		return 0, err
	}
	n, err := st.Read(b)
	return n, c.ioError(err)
}

// Write writes b. It fails as Read does, io.EOF excepted.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.take(c.writeTurn, &c.writes); err != nil {
		return 0, err
	}
	defer func() { <-c.writeTurn }()
	written, err := c.writeEarly(b)
	if err != nil || (written == len(b) && written > 0) {
		return written, err
	}
	st, err := c.carrier()
	switch {
	case err != nil:
		return written, err
	case c.writeEnded:
		return written, net.ErrClosed
	}
	n, err := st.Write(b[written:])
	return written + n, c.ioError(err)
}

// writeEarly writes what may be written while opening. It holds writeTurn, and
// lets go of it while it waits for the far side. A write that fails here shows
// when the reply is read, and all of it is sent again.
func (c *Conn) writeEarly(b []byte) (written int, err error) {
	for !isClosed(c.settled) && len(b) > 0 {
		if c.writeEnded {
			return written, net.ErrClosed
		}
		if n := min(len(b), c.room-len(c.early)); n > 0 {
			c.early = append(c.early, b[:n]...)
			st, _ := c.carrier()
			_, _ = st.Write(b[:n])
			written, b = written+n, b[n:]
			continue
		}
		<-c.writeTurn
		err := c.waitSettled(&c.writes)
		c.writeTurn <- struct{}{}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// CloseWrite ends the data of this side: the other side reads io.EOF after it.
func (c *Conn) CloseWrite() error {
	if err := c.take(c.writeTurn, &c.writes); err != nil {
		return err
	}
	defer func() { <-c.writeTurn }()
	st, err := c.carrier()
	if err != nil || c.writeEnded {
		return err
	}
	c.writeEnded = true
	return c.ioError(st.CloseWrite())
}

// take waits for a turn at the carrier.
func (c *Conn) take(turn chan struct{}, d *deadline) error {
	switch {
	case isClosed(c.closed):
		return net.ErrClosed
	case d.isOver():
		return os.ErrDeadlineExceeded
	}
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-d.wait():
		return os.ErrDeadlineExceeded
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *Conn) waitSettled(d *deadline) error {
	select {
	case <-c.settled:
		return nil
	default:
	}
	select {
	case <-c.settled:
		return nil
	case <-d.wait():
		return os.ErrDeadlineExceeded
	case <-c.closed:
		return net.ErrClosed
	}
}

// carrier returns what to read from or write to.
func (c *Conn) carrier() (carrier, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c, c.err
}

func (c *Conn) ioError(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case isClosed(c.closed):
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded // the very value: callers ask whether it is a net.Error
	case errors.Is(err, network.ErrReset), wire.CodeOf(err) == wire.Gone:
		lost := wire.Errorf(wire.Gone, "pipe connection lost: %w", err)
		if !c.served {
			lost = lost.WithNext("dial again")
		}
		return lost
	}
	return err
}

// SetDeadline sets both deadlines; the zero time is never.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets when a pending or later Read fails with
// os.ErrDeadlineExceeded. It can be moved again after.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.reads, t, stream.SetReadDeadline)
}

// SetWriteDeadline is SetReadDeadline for Write. Part of the data may have been
// sent when it passes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writes, t, stream.SetWriteDeadline)
}

func (c *Conn) setDeadline(d *deadline, t time.Time, below func(stream, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isClosed(c.closed) {
		return net.ErrClosed
	}
	d.set(t)
	if !c.open {
		return nil
	}
	return below(c.c, t)
}

// Pipe returns the pipe's ID.
func (c *Conn) Pipe() ID { return c.pipe }

// LocalPrincipal is who this end is.
func (c *Conn) LocalPrincipal() identity.Principal { return c.local }

// RemotePrincipal is who is at the other end: proven by signature on a secure
// pipe, by the path's handshake otherwise.
func (c *Conn) RemotePrincipal() identity.Principal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// RemotePeer is the node at the other end.
func (c *Conn) RemotePeer() peer.ID {
	st, _ := c.carrier()
	return st.place().peer
}

// Transport is the transport of the path below; empty within one node.
func (c *Conn) Transport() reach.Transport {
	st, _ := c.carrier()
	return st.place().transport
}

// Direct reports that no relay stands between the nodes.
func (c *Conn) Direct() bool {
	st, _ := c.carrier()
	return st.place().direct
}

// RemoteEndpoint is the other side's address on that path; nil within one node.
func (c *Conn) RemoteEndpoint() ma.Multiaddr {
	st, _ := c.carrier()
	return st.place().remote
}

// LocalAddr is this end, an Addr.
func (c *Conn) LocalAddr() net.Addr { return Addr{Pipe: c.pipe, Peer: c.self} }

// RemoteAddr is the other end, an Addr.
func (c *Conn) RemoteAddr() net.Addr { return Addr{Pipe: c.pipe, Peer: c.RemotePeer()} }
