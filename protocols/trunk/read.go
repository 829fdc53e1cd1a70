package trunk

import (
	"io"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Read reads the stream for the Inbox. Of many small frames the clock is asked
// once, by the timer that reports them.
func (c *carrier) Read(p []byte) (int, error) {
	n, err := c.s.Read(p)
	if len(p) > len(c.in.buf) {
		c.hear()
	}
	return n, err
}

// hear notes that the far side lives, and tells since when the carrier has.
func (c *carrier) hear() time.Duration {
	now := time.Since(c.since)
	c.heard.Store(int64(now))
	return now
}

// driver is a connection that runs the readers of its streams itself, one at a
// time and as data comes, so that no goroutine is to be woken for a frame. A
// reader that is run so waits for its stream alone.
type driver = interface {
	Drive(s io.Reader, loop func()) bool
}

// read takes in what the far side writes, until the carrier ends; nil is a good
// end.
func (c *carrier) read() error {
	if c.outgoing { // until something is written, reading would send the proposal by itself
		select {
		case <-c.started:
		case <-c.dead:
			return errClosed()
		}
	}
	if err := c.welcome(); err != nil {
		return c.verdict(err)
	}
	var end error
	loop := func() {
		for end == nil {
			end = c.frame()
		}
	}
	var d driver
	if !c.s.Conn().As(&d) || !d.Drive(c.s, loop) {
		loop()
	}
	return c.verdict(end)
}

// verdict is why the carrier ends when err met its reader: the stream's end,
// or a violation by the peer.
func (c *carrier) verdict(err error) error {
	switch {
	case c.in.err == io.EOF && c.in.r == c.in.w && c.over():
		return nil
	case c.in.err != nil:
		return lost(c.in.err)
	}
	c.t.counts.violations.Add(1)
	code := wire.CodeOf(err)
	if code != wire.TooLarge && code != wire.Limit {
		code = wire.BadRequest
	}
	return wire.Errorf(code, "%s broke the rules of trunks: %w", c.path.Peer(), err)
}

// over reports that the far side may end the carrier.
func (c *carrier) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.legCount() == 0
}

// welcome reads the far side's HELLO.
func (c *carrier) welcome() error {
	h, _, err := c.in.header()
	if err != nil {
		return err
	}
	if h.handle != 0 || h.kind != kindHello {
		return wire.Errorf(wire.BadRequest, "a carrier began with kind %d on handle %d", h.kind, h.handle)
	}
	features, err := c.in.Uvarint()
	if err != nil {
		return err
	}
	if features&helloOwn != 0 && !c.outgoing {
		c.mu.Lock()
		c.own = true
		c.mu.Unlock()
	}
	return c.in.skip()
}

// frame reads one frame.
func (c *carrier) frame() error {
	h, size, err := c.in.header()
	if err != nil {
		return err
	}
	if h.handle == 0 {
		err = c.control(h)
	} else {
		err = c.legFrame(h)
	}
	if err == nil {
		err = c.in.skip()
	}
	if c.in.err != nil {
		return c.in.err
	}
	if err == nil && h.handle != 0 {
		c.count(size + h.length)
	}
	return err
}

// control takes in a frame of the carrier's own. Unknown kinds are for later
// versions.
func (c *carrier) control(h header) error {
	c.hear()
	switch h.kind {
	case kindHello:
		return wire.Errorf(wire.BadRequest, "a second HELLO")
	case kindSeen:
		n, err := c.in.Uvarint()
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.saw(n)
	case kindPing, kindPong:
		data, err := c.in.Small(pingSize)
		if err != nil {
			return err
		}
		if len(data) != pingSize {
			return wire.Errorf(wire.BadRequest, "a PING of %d bytes", len(data))
		}
		c.pinged(h.kind, [pingSize]byte(data))
	case kindGoAway:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.due.farGoing {
			c.due.farGoing = true
			if c.legCount() == 0 {
				c.emptyLocked()
			}
		}
	}
	return nil
}

// pinged takes in a PING or PONG. The last PING alone is answered.
func (c *carrier) pinged(k Kind, data [pingSize]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k == kindPing {
		c.due.pong, c.due.echo = true, data
		c.kickLocked()
	} else if c.life.pinged && data == pingData(c.life.pings) {
		c.life.pinged, c.life.progress = false, time.Now()
	}
}

// legFrame takes in a frame of a leg.
func (c *carrier) legFrame(h header) error {
	c.mu.Lock()
	l := c.legs[h.handle]
	if l == nil {
		return c.unknownLocked(h)
	}
	deaf := l.released || l.lost != nil || l.owner == nil
	c.mu.Unlock()
	switch {
	case h.kind == kindLeave:
		return c.farLeave(l)
	case deaf:
		return nil
	case h.kind >= FirstKind:
		return l.owner.Receive(l, h.kind, &c.in)
	case h.kind == kindDatagram && c.line.quic == nil:
		b, err := c.in.Small(MaxDatagram)
		if err == nil {
			l.owner.Datagram(l, b)
		}
		return err
	}
	return nil
}

// farLeave takes in a LEAVE.
func (c *carrier) farLeave(l *Leg) error {
	code := wire.OK
	if c.in.Len() > 0 {
		v, err := c.in.Uvarint()
		if err != nil {
			return err
		}
		code = wire.Code(min(v, 1<<32-1))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.farLeft {
		return wire.Errorf(wire.BadRequest, "a second LEAVE")
	}
	l.farLeft = true
	if l.left {
		c.forgetLocked(l)
		return nil
	}
	c.loseLocked(l, farLeft(l, code))
	return nil
}

// farLeft is what an owner is told when the far side has left.
func farLeft(l *Leg, code wire.Code) error {
	if code == wire.OK {
		code = wire.Closed
	}
	return wire.Errorf(code, "%s has left: %s", l.Peer(), code)
}

// lost is why a stream ends, in the vocabulary.
func lost(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return wire.Errorf(wire.Closed, "the far side ended the carrier: %w", err)
	}
	if wire.CodeOf(err) != wire.Internal {
		return err
	}
	return wire.Errorf(wire.Unreachable, "the carrier is lost: %w", err)
}
