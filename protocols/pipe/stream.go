package pipe

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// stream is what a connection runs on: an ordered, reliable byte stream with
// half-close, whose deadlines fail with os.ErrDeadlineExceeded and can be moved
// again after. A link is one, a raw stream, and an end of a duplex. This file is
// the only one that knows which.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
	Reset() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// carrier is a stream and what is known of what is below it.
type carrier struct {
	stream
	link   *link.Link // nil for a raw stream and within one node
	opened place
	late   bool       // the first words may wait for more
	path   reach.Path // on which it was opened; zero within one node and where this side did not open
}

// place is where the far side is.
type place struct {
	peer      peer.ID // as the path's handshake proved
	transport reach.Transport
	remote    ma.Multiaddr // nil within one node
	direct    bool
}

// place tells where the far side is now: a link's path changes. While none
// carries it, it is the last one.
func (c carrier) place() place {
	if c.link == nil {
		return c.opened
	}
	if p := c.link.Path(); !p.IsZero() {
		return placeOf(p)
	}
	now := c.opened
	now.peer = c.link.Peer()
	if legs, _ := c.link.Legs(); len(legs) > 0 {
		last := legs[len(legs)-1]
		now.transport, now.remote, now.direct = last.Transport, last.Remote, last.Direct
	}
	return now
}

func placeOf(p reach.Path) place {
	return place{peer: p.Peer(), transport: p.Transport(), remote: p.Remote(), direct: p.Direct()}
}

// waiting is since when nothing carries the stream; zero while something does.
func (c carrier) waiting() time.Time {
	if c.link == nil {
		return time.Time{}
	}
	return c.link.Waiting()
}

// group is the address group of the peer, as in a Deposit.
func (c carrier) group() string { return DepositFrom(c.opened.peer, c.opened.remote).Group }

// opening gives the messages that open a connection their time. What is written
// of them on a link finds room at once. A stream that takes no deadline is a dead
// one, and the next read or write tells so.
func (c carrier) opening(t time.Time) {
	_ = c.SetReadDeadline(t)
	if c.link == nil {
		_ = c.SetWriteDeadline(t)
	}
}

// until puts the user's deadlines in the place of the opening's.
func (c carrier) until(read, write time.Time) {
	_ = c.SetReadDeadline(read)
	if c.link == nil || !write.IsZero() {
		_ = c.SetWriteDeadline(write)
	}
}

// interrupt has pending calls return.
func (c carrier) interrupt() {
	_ = c.SetReadDeadline(time.Unix(1, 0))
	_ = c.SetWriteDeadline(time.Unix(1, 0))
}

// drop resets the stream; what cannot be reset is gone already.
func (c carrier) drop() { _ = c.Reset() }

// resetWith drops the stream, and tells the far side why. A raw stream has no
// room for that.
func (c carrier) resetWith(code wire.Code, reason string) {
	if c.link != nil {
		c.link.Reset(code, reason)
	} else if d, ok := c.stream.(duplex); ok {
		d.resetWith(wire.Errorf(code, "the connection was reset: %s", reason))
	}
	c.drop() // and whatever holds it
}

// gone is closed when the stream has ended, be it by the far side; nil where
// only a Read would tell.
func (c carrier) gone() <-chan struct{} {
	if c.link != nil {
		return c.link.Done()
	}
	if d, ok := c.stream.(duplex); ok {
		return d.in.dropped
	}
	return nil
}

// openStream opens a connection's stream to w.Peer: a link, unless a raw stream
// is asked for or the peer is known to speak nothing else. The attempts tell how
// the path was had, or why not.
func (s *Service) openStream(ctx context.Context, w reach.Want, o streamOptions) (carrier, []reach.Attempt, error) {
	if w.Peer == s.cfg.Self {
		return s.openLocal()
	}
	path, attempts, err := s.cfg.Reach.Path(ctx, w)
	if err != nil {
		return carrier{}, attempts, err
	}
	open := s.openRaw
	if !o.raw && s.linksWith(w.Peer) {
		open = s.openLink
	}
	c, err := open(ctx, path, o)
	return c, attempts, err
}

// streamOptions say how openStream opens.
type streamOptions struct {
	raw   bool
	way   way           // of a link
	grace time.Duration // of a link; zero is the node's
	// lasting is a link that is taken up again even before the far side has
	// answered. Else the opener has other ways.
	lasting bool
	late    bool // the opening of a link waits for what is written first
}

func (s *Service) openRaw(ctx context.Context, p reach.Path, _ streamOptions) (carrier, error) {
	st, err := p.OpenStream(ctx, ConnProtocol(s.cfg.Overlay))
	if err != nil {
		return carrier{}, err
	}
	return carrier{stream: held(s.usable(st, p.Transport()), s.cfg.Reach.Hold(p.Peer())), opened: placeOf(p), path: p}, nil
}

// acceptStream takes a pipe-conn stream from another node. Its path is not held
// before the dialer is admitted.
func (s *Service) acceptStream(st network.Stream) {
	conn := st.Conn()
	transport := reach.TransportOfConn(conn)
	s.acceptCarrier(s.ctx, carrier{stream: s.usable(st, transport), opened: place{
		peer: conn.RemotePeer(), transport: transport, remote: conn.RemoteMultiaddr(), direct: transport != reach.Relay,
	}})
}

// usable is st as a stream whose deadlines can be moved. A read deadline that
// passes on a WebRTC data channel loses part of a message with it (go-libp2p
// v0.51, webrtc/stream_read.go), so that one is read ahead without deadlines.
func (s *Service) usable(st network.Stream, t reach.Transport) stream {
	if t != reach.WebRTC {
		return st
	}
	ahead := &readAhead{stream: st, in: newOneWay()}
	if !s.spawn(func(context.Context) { ahead.run() }) {
		st.Reset()
	}
	return ahead
}

// heldStream looks after the paths below it until it is closed, so that they are
// not taken for ones of little use.
type heldStream struct {
	stream
	release func()
}

func held(st stream, release func()) stream { return heldStream{st, release} }

// Close ends the stream in good order.
func (h heldStream) Close() error {
	defer h.release()
	return h.stream.Close()
}

// Reset drops it.
func (h heldStream) Reset() error {
	defer h.release()
	return h.stream.Reset()
}

// openLocal joins this node's two ends within the process: a node cannot dial
// itself, yet its own pipes are open to it.
func (s *Service) openLocal() (carrier, []reach.Attempt, error) {
	near, far := newDuplex()
	end := func(st stream) carrier {
		return carrier{stream: st, opened: place{peer: s.cfg.Self, direct: true}}
	}
	if !s.spawn(func(ctx context.Context) { s.acceptCarrier(ctx, end(far)) }) {
		return carrier{}, nil, errClosed()
	}
	return end(near), []reach.Attempt{{Started: time.Now(), Reused: true}}, nil
}
