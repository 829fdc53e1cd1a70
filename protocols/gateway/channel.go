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

// channel joins a local connection with a pipe connection. An idle one is two
// goroutines without a buffer.
type channel struct {
	e      *entry
	conn   *pipe.Conn
	local  net.Conn // the client's connection, or the one to the service
	opened time.Time

	mu  sync.Mutex
	err error // what broke it; nil while nothing has
}

// open joins the two; what is written into one comes out of the other. It
// fails, having reset both, when the rule has ended.
func (e *entry) open(conn *pipe.Conn, local net.Conn) (*channel, error) {
	c := &channel{e: e, conn: conn, local: local, opened: time.Now()}
	e.mu.Lock()
	over := e.state == Draining
	if !over {
		e.channels[c] = struct{}{}
		e.counts.opened++
	}
	e.mu.Unlock()
	if over {
		c.abort(wire.Closed, "the gateway's rule was removed")
		return nil, errClosed()
	}
	e.trace(Event{Kind: EventOpened, Channel: conn.Link().String()})
	return c, nil
}

// carry pushes bytes both ways until both directions are through or one has
// broken.
func (c *channel) carry() error {
	var up sync.WaitGroup
	up.Go(c.up)
	c.down()
	up.Wait()
	if c.broken() == nil {
		_ = c.conn.Close()
		_ = c.local.Close()
	}
	return c.broken()
}

// up carries from the local connection into the pipe.
func (c *channel) up() {
	_, err := c.conn.ReadFrom(c.local)
	if err == nil {
		err = c.conn.CloseWrite()
	}
	if err != nil {
		c.fail(err)
	}
}

// down carries from the pipe to the local connection.
func (c *channel) down() {
	_, err := c.conn.WriteTo(c.local)
	if err == nil {
		err = closeWrite(c.local)
	}
	if err != nil {
		c.fail(err)
	}
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

func (c *channel) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
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
	if refused != nil {
		e.refused(refused)
	}
	e.trace(Event{Kind: EventClosed, Channel: c.conn.Link().String(), Err: err, In: in, Out: out, Took: time.Since(c.opened)})
	if last {
		e.g.forget(e)
	}
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
