package pipe

import (
	"context"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Addr is an end of a pipe connection, or what a listener serves. Its network
// is "pipe".
type Addr struct {
	Pipe ID
	Peer peer.ID
}

// Network returns "pipe".
func (Addr) Network() string { return "pipe" }

// String returns the pipe's URI, followed by "@" and the peer.
func (a Addr) String() string {
	if a.Peer == "" {
		return a.Pipe.URI()
	}
	return a.Pipe.URI() + "@" + a.Peer.String()
}

// Opened waits until the far side has accepted the connection, and returns why
// it did not. Read tells the same; who only writes may want to know.
func (c *Conn) Opened(ctx context.Context) error {
	select {
	case <-c.settled:
		_, err := c.carrier()
		return err
	case <-c.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Legs lists the last paths of the connection, the newest last, and how many
// there were. A raw stream and a connection within one node have none.
func (c *Conn) Legs() (legs []link.Leg, count int) {
	st, _ := c.carrier()
	if st.link == nil {
		return nil, 0
	}
	return st.link.Legs()
}

// Link names the link that the connection is, at both of its ends; zero for a
// raw stream and within one node.
func (c *Conn) Link() link.ID {
	st, _ := c.carrier()
	if st.link == nil {
		return link.ID{}
	}
	return st.link.ID()
}

// Waiting is since when no path carries the connection, which waits for one;
// zero while one does, and at the end.
func (c *Conn) Waiting() time.Time {
	st, _ := c.carrier()
	return st.waiting()
}

// swap puts another carrier below a connection that is still opening, and
// sends again on it what was written so far.
func (c *Conn) swap(next carrier, remote identity.Principal) {
	c.writeTurn <- struct{}{}
	defer func() { <-c.writeTurn }()
	c.mu.Lock()
	c.c, c.remote = next, remote
	c.beginOutLocked()
	c.mu.Unlock()
	if len(c.early) > 0 {
		_, _ = next.Write(c.early) // a failure shows when the reply is read
	}
	if c.writeEnded {
		_ = next.CloseWrite()
	}
}

// settle ends the opening: accepted when err is nil.
func (c *Conn) settle(remote identity.Principal, err error) {
	c.settleTurn(remote, err)
	c.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, f := range pending {
		f()
	}
}

// settleTurn is settle while it is the writers' turn.
func (c *Conn) settleTurn(remote identity.Principal, err error) {
	c.writeTurn <- struct{}{}
	defer func() { <-c.writeTurn }()
	c.mu.Lock()
	c.remote, c.err, c.open = remote, err, err == nil
	st := c.c
	c.early = nil
	c.beginInLocked()
	if c.served {
		c.beginOutLocked()
	}
	gone := isClosed(c.closed)
	if c.open && !gone {
		st.until(c.reads.time(), c.writes.time())
	}
	close(c.settled)
	c.mu.Unlock()
	switch {
	case err != nil:
		st.drop()
	case gone:
		st.Close() // closed while opening: the data is with the far side now
	}
}

// Close ends both directions. What was written is still delivered; calls that
// wait fail with net.ErrClosed. Closing again does nothing.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		if c.leave() {
			c.closeCarrier()
		} else {
			c.endEarly()
		}
		c.onClose()
	})
	return nil
}

// leave marks the connection closed, and reports whether it had settled.
func (c *Conn) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.closed)
	c.reads.stop()
	c.writes.stop()
	return isClosed(c.settled)
}

// closeCarrier lets pending calls go before it closes, since not every stream
// can be closed beside a write. An error would only tell that the far side
// closed first.
func (c *Conn) closeCarrier() {
	st, openErr := c.carrier()
	if openErr != nil {
		return
	}
	st.interrupt()
	c.writeTurn <- struct{}{}
	defer func() { <-c.writeTurn }()
	_ = st.SetWriteDeadline(time.Time{})
	st.Close()
}

// endEarly ends the data of a connection that is closed while it opens. Who
// opens it goes on until the far side has it, then closes.
func (c *Conn) endEarly() {
	c.writeTurn <- struct{}{}
	defer func() { <-c.writeTurn }()
	if !c.writeEnded {
		c.writeEnded = true
		st, _ := c.carrier()
		_ = st.CloseWrite()
	}
}

// Reset drops the connection: both sides see an error, not an end, and what
// was written may be lost.
func (c *Conn) Reset() { c.reset(carrier.drop) }

// ResetWith is Reset with a word for the far side, whose calls fail with that
// code (wire.CodeOf): so wire.Reset, for whoever passes on that another has
// reset, differs from a connection that was lost. A raw stream has no room for
// it.
func (c *Conn) ResetWith(code wire.Code, reason string) {
	c.reset(func(st carrier) { st.resetWith(code, reason) })
}

func (c *Conn) reset(drop func(carrier)) {
	c.closeOnce.Do(func() {
		c.leave()
		c.abort()
		st, _ := c.carrier()
		drop(st)
		c.onClose()
	})
}
