package gateway

import (
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// channel joins a local connection with a pipe connection. An idle one is one
// goroutine, which waits for the local connection, without a buffer.
type channel struct {
	e      *entry
	conn   *pipe.Conn
	local  net.Conn // the client's connection, or the one to the service
	letGo  func()   // lets go of what the channel has taken
	opened time.Time

	mu   sync.Mutex
	left int   // directions that go on
	err  error // what broke it; nil while nothing has
}

// carry joins the two, until both directions are through or one has broken: what
// is written into one comes out of the other. It does not wait for that; letGo is
// called at the end. When the rule or the gateway has ended, both are reset.
func (e *entry) carry(conn *pipe.Conn, local net.Conn, letGo func()) {
	c := &channel{e: e, conn: conn, local: local, letGo: letGo, opened: time.Now(), left: 2}
	if !e.g.begin() {
		c.abort(wire.Closed, "the gateway is closed")
		letGo()
		return
	}
	if !e.keep(c) {
		c.abort(wire.Closed, "the gateway's rule was removed")
		letGo()
		e.g.tasks.Done()
		return
	}
	e.trace(Event{Kind: EventOpened, Channel: conn.Link().String()})
	conn.Drain(local, c.down)
	go c.up() // on a stack of its own: the caller's is deeper, and would be kept
}

// keep puts a channel on its rule's list; false when the rule has ended.
func (e *entry) keep(c *channel) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == Draining {
		return false
	}
	e.channels[c] = struct{}{}
	e.counts.opened++
	return true
}

// up carries from the local connection into the pipe.
func (c *channel) up() {
	_, err := c.conn.ReadFrom(c.local)
	if err == nil {
		err = c.conn.CloseWrite()
	}
	c.through(err)
}

// down is the end of what is carried from the pipe to the local connection.
func (c *channel) down(_ int64, err error) {
	if err == nil {
		err = closeWrite(c.local)
	}
	c.through(err)
}

// through notes the end of a direction, and ends the channel after the second.
func (c *channel) through(err error) {
	if err != nil {
		c.fail(err)
	}
	c.mu.Lock()
	c.left--
	last, err := c.left == 0, c.err
	c.mu.Unlock()
	if !last {
		return
	}
	defer c.e.g.tasks.Done()
	if err == nil {
		_ = c.conn.Close()
		_ = c.local.Close()
	}
	c.letGo()
	c.e.over(c, err)
}

// fail breaks a channel of which one end has broken: whoever is at the other
// gets a reset, as from the end itself.
func (c *channel) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		c.cutBoth(wire.Reset, "the connection behind the gateway was reset")
	}
}

// abort ends a channel for a reason of the gateway's own.
func (c *channel) abort(code wire.Code, why string) {
	c.mu.Lock()
	if c.err == nil {
		c.err = wire.Errorf(code, "%s", why)
	}
	c.mu.Unlock()
	c.cutBoth(code, why)
}

func (c *channel) cutBoth(code wire.Code, why string) {
	c.conn.ResetWith(code, why)
	reset(c.local)
}

// over takes an ended channel off its rule's list.
func (e *entry) over(c *channel, err error) {
	in, out := c.conn.Transferred()
	refused := c.conn.Refusal()
	e.mu.Lock()
	delete(e.channels, c)
	e.counts.in += in
	e.counts.out += out
	last := len(e.channels) == 0 && e.state == Draining
	e.mu.Unlock()
	if last {
		e.g.forget(e)
	}
	if refused != nil {
		e.refused(refused)
	}
	e.trace(Event{Kind: EventClosed, Channel: c.conn.Link().String(), Err: err, In: in, Out: out, Took: time.Since(c.opened)})
}

// reset drops a local connection as its other end did: where the protocol has
// it, with a reset.
func reset(c net.Conn) {
	if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// closeWrite ends what is sent to a local connection.
func closeWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

// Channel tells of one channel.
type Channel struct {
	ID        string // of the link, the same at both nodes; empty for a raw stream
	Client    string // the local connection's far end
	Peer      peer.ID
	Principal identity.Principal
	Opened    time.Time
	In, Out   uint64          // bytes from and to the far node
	Transport reach.Transport // of the path, now
	Waiting   time.Time       // since when no path carries it; zero while one does
}

func (c *channel) tell() Channel {
	in, out := c.conn.Transferred()
	t := Channel{
		Peer: c.conn.RemotePeer(), Principal: c.conn.RemotePrincipal(), Opened: c.opened,
		Client: nameOf(c.local), In: in, Out: out, Transport: c.conn.Transport(), Waiting: c.conn.Waiting(),
	}
	if id := c.conn.Link(); id != (link.ID{}) {
		t.ID = id.String()
	}
	return t
}

// nameOf is how a client is shown.
func nameOf(c net.Conn) string {
	if key, ok := endOf(c.RemoteAddr()); ok {
		return key
	}
	return "unix socket " + c.LocalAddr().String()
}
