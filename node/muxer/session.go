package muxer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// backlog is how many streams may wait to be accepted, and how many of its own
// a side opens that were not.
const backlog = 256

// session is a connection that carries streams. One goroutine belongs to it,
// which reads.
type session struct {
	finding sync.Mutex                   // held during an introduction
	meeting atomic.Pointer[introduction] // that one; nil while there is none

	// Fixed after newSession.
	conn     net.Conn
	dialer   bool // its streams have odd numbers
	span     func() (network.ResourceScopeSpan, error)
	out      sender
	opening  chan struct{} // holds one for each own stream that was not taken yet
	incoming chan *stream  // to be accepted
	dead     chan struct{} // closed when the session has ended
	finished chan struct{} // closed when nothing is read any more
	settled  chan struct{} // closed when all the streams have ended too

	life life

	mu      sync.Mutex // guards what follows
	err     error      // why it has ended
	told    error      // what its streams say then
	lost    error      // why it is about to end, unless the far side has said why
	next    uint64     // number of the next own stream
	streams map[uint32]*stream
}

func newSession(conn net.Conn, isServer bool, span func() (network.ResourceScopeSpan, error)) *session {
	c := &session{
		conn: conn, dialer: !isServer, span: span,
		opening: make(chan struct{}, backlog), incoming: make(chan *stream, backlog),
		dead: make(chan struct{}), finished: make(chan struct{}), settled: make(chan struct{}),
		next: 1, streams: make(map[uint32]*stream),
	}
	if isServer {
		c.next = 2
	}
	c.out.conn, c.out.fail, c.out.rest = conn, c.unwritable, c.out.flush
	c.out.cork, _ = conn.(corker)
	c.life.begin(c)
	go c.receive()
	return c
}

// IsClosed implements network.MuxedConn.
func (c *session) IsClosed() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// As implements network.MuxedConn: it gives who asks for it the round trip.
func (c *session) As(target any) bool {
	switch t := target.(type) {
	case *interface{ RTT() time.Duration }:
		*t = c
	case *Driver:
		*t = c
	default:
		return false
	}
	return true
}

// RTT is the round trip, the least of the last few; 0 while there is none.
func (c *session) RTT() time.Duration { return time.Duration(c.life.rtt.Load()) }

// OpenStream implements network.MuxedConn.
func (c *session) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	select {
	case <-c.dead:
		return nil, c.why()
	default:
	}
	if c.out.flooded() {
		return nil, errUnsent
	}
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.dead:
		return nil, c.why()
	}
	s, err := c.open()
	if err != nil {
		<-c.opening
		return nil, err
	}
	if c.out.post(header{kind: kindWindow, flags: flagOpen, stream: s.id}) != nil {
		<-c.dead
		return nil, c.why()
	}
	return s, nil
}

// open makes a stream of this side.
func (c *session) open() (*stream, error) {
	span, err := c.reserve()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		err = c.err
	case c.next > math.MaxUint32:
		err = errExhausted
	default:
		s := newStream(c, uint32(c.next), span)
		s.asked = true
		c.next += 2
		c.streams[s.id] = s
		return s, nil
	}
	span.Done()
	return nil, err
}

// reserve accounts for a new stream.
func (c *session) reserve() (network.ResourceScopeSpan, error) {
	span, err := c.span()
	if err != nil {
		return nil, fmt.Errorf("the resources of a stream: %w", err)
	}
	if err := span.ReserveMemory(firstWindow, network.ReservationPriorityAlways); err != nil {
		span.Done()
		return nil, err
	}
	return span, nil
}

// AcceptStream implements network.MuxedConn.
func (c *session) AcceptStream() (network.MuxedStream, error) {
	for {
		select {
		case s := <-c.incoming:
			if s.take() {
				return s, nil
			}
		case <-c.dead:
			return nil, c.why()
		}
	}
}

// why is why the session has ended.
func (c *session) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// broken is what a stream says whose session cannot be written to. It must not
// be called by who reads.
func (c *session) broken() error {
	<-c.dead // the far side may have said why
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}

// forget ends a stream's place.
func (c *session) forget(s *stream) {
	c.mu.Lock()
	if c.streams[s.id] == s {
		delete(c.streams, s.id)
	}
	c.mu.Unlock()
	s.established()
}

// Close implements network.MuxedConn. The far side hears of it by the
// connection's end.
func (c *session) Close() error {
	c.end(errShutdown)
	<-c.finished
	return nil
}

// goAwayTime is how long Close may take to tell the far side why.
const goAwayTime = 100 * time.Millisecond

// CloseWithError implements network.MuxedConn.
func (c *session) CloseWithError(code network.ConnErrorCode) error {
	if code == 0 {
		return c.Close()
	}
	why := &network.ConnError{ErrorCode: code, TransportError: errGone}
	c.mu.Lock()
	c.lost = why // whatever the far side makes of it
	c.mu.Unlock()
	c.out.last(header{kind: kindGoAway, length: uint32(code)})
	c.end(why)
	<-c.finished
	return nil
}

// unwritable has the session end: by whoever reads, since the far side may have
// said why.
func (c *session) unwritable(err error) {
	c.mu.Lock()
	if c.lost == nil {
		c.lost = err
	}
	c.mu.Unlock()
	_ = c.conn.Close() // it is of no use any more
}

// end ends the session and all its streams, once.
func (c *session) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		<-c.settled
		return
	}
	var away *network.ConnError
	if c.lost != nil && !errors.As(err, &away) {
		err = c.lost
	}
	c.err = err
	if c.told = err; !errors.As(err, &away) {
		// Its words only: a connection's end is no stream's end, its deadline no
		// stream's deadline.
		c.told = fmt.Errorf("%w: the connection has ended: %v", network.ErrReset, err) //nolint:errorlint // see above
	}
	streams := c.streams
	c.streams = nil
	close(c.dead)
	c.mu.Unlock()
	c.life.end()
	c.out.end(err)
	for _, s := range streams {
		s.abandon(c.told)
	}
	_ = c.conn.Close() // nothing is left to be said; TLS may wait for a moment
	close(c.settled)
}

// Why a session or a stream is of no use. The first two are in what streams say,
// which has no word of the vocabulary.
var (
	errFarGone         = errors.New("the far side has said that it goes")
	errGone            = errors.New("this side goes")
	errUnsent          = fmt.Errorf("the connection takes nothing, and much waits for it: %w", network.ErrResourceLimitExceeded)
	errShutdown  error = wire.Errorf(wire.Closed, "this side has closed the connection")
	errExhausted error = wire.Errorf(wire.Limit, "the connection has no numbers for streams any more")
	errFlood     error = wire.Errorf(wire.Limit, "the far side asks for more than it takes")
	errSilent    error = wire.Errorf(wire.Timeout, "the far side does not answer")
	errClosed    error = wire.Errorf(wire.Closed, "the stream is closed for writing")
)
