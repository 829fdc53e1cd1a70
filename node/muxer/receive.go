package muxer

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// readAhead is the bytes that are read with a header.
const readAhead = 4 << 10

// awayViolation is the error code of GoAway for a far side that breaks the rules.
const awayViolation = 1

// receive reads until the connection ends.
func (c *session) receive() {
	defer close(c.finished)
	err := c.frames(bufio.NewReaderSize(heard{c.conn, &c.life}, readAhead))
	if wire.CodeOf(err) == wire.BadRequest {
		c.out.last(header{kind: kindGoAway, length: awayViolation})
	}
	c.end(err)
}

// frames reads frames until one is wrong or there are no more.
func (c *session) frames(r *bufio.Reader) (err error) {
	defer func() { // as go-yamux does: a fault here is to cost one connection
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "caught panic: %v\n%s\n", p, debug.Stack())
			err = wire.Errorf(wire.Internal, "a panic in the muxer: %v", p)
		}
	}()
	for {
		b, err := r.Peek(headerSize)
		if err != nil {
			return err
		}
		h := parseHeader(b)
		_, _ = r.Discard(headerSize) // they were read
		if h.version != 0 || h.kind >= kinds {
			return wire.Errorf(wire.BadRequest, "a frame of version %d and kind %d", h.version, h.kind)
		}
		switch h.kind {
		case kindPing:
			err = c.ping(h)
		case kindGoAway:
			err = &network.ConnError{Remote: true, ErrorCode: network.ConnErrorCode(h.length), TransportError: errFarGone}
		default:
			err = c.streamFrame(h, r)
		}
		if err != nil {
			return err
		}
	}
}

// streamFrame takes in a frame of a stream.
func (c *session) streamFrame(h header, r *bufio.Reader) error {
	if h.flags&flagOpen != 0 {
		if err := c.opened(h.stream); err != nil {
			return err
		}
	}
	c.mu.Lock()
	s := c.streams[h.stream]
	c.mu.Unlock()
	body := 0
	if h.kind == kindData {
		body = int(h.length)
	}
	if s == nil { // it has ended here
		return skip(r, body)
	}
	if h.flags&flagTake != 0 {
		s.established()
	}
	switch {
	case h.flags&flagReset != 0:
		code := uint32(0)
		if h.kind == kindWindow {
			code = h.length
		}
		s.resetByFar(network.StreamErrorCode(code))
		return skip(r, body)
	case h.kind == kindWindow:
		if err := s.more(h.length); err != nil {
			return err
		}
	default:
		if err := s.data(r, body); err != nil {
			return err
		}
	}
	if h.flags&flagEnd != 0 {
		s.ended()
	}
	return nil
}

// skip passes over n bytes.
func skip(r *bufio.Reader, n int) error {
	_, err := r.Discard(n)
	return err
}

// opened takes in a stream of the far side.
func (c *session) opened(id uint32) error {
	if id == 0 || c.dialer == (id%2 == 1) {
		return wire.Errorf(wire.BadRequest, "a stream with number %d, which is not the far side's to give", id)
	}
	c.mu.Lock()
	known := c.streams[id] != nil
	c.mu.Unlock()
	if known {
		return wire.Errorf(wire.BadRequest, "stream %d was opened twice", id)
	}
	if c.out.flooded() {
		return errFlood
	}
	span, err := c.reserve()
	if err != nil {
		return c.refuse(id)
	}
	s := newStream(c, id, span)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		span.Done()
		return nil
	}
	select {
	case c.incoming <- s:
		c.streams[id] = s
		c.mu.Unlock()
		return nil
	default:
	}
	c.mu.Unlock()
	span.Done()
	return c.refuse(id)
}

// refuse tells the far side that a stream of its is not wanted.
func (c *session) refuse(id uint32) error {
	return c.out.post(header{kind: kindWindow, flags: flagReset, stream: id, length: uint32(network.StreamResourceLimitExceeded)})
}
