package pipe

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// stream is what a connection runs on: an ordered, reliable byte stream with
// half-close, whose deadlines fail with os.ErrDeadlineExceeded and can be moved
// again after. This file is the only one that knows what is behind it.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
	Reset() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// carrier is a stream and what is known of the path below it.
type carrier struct {
	stream
	peer      peer.ID // at the other end, as the path's handshake proved
	transport reach.Transport
	remote    ma.Multiaddr // nil within one node
	direct    bool
	path      reach.Path // zero within one node
}

// group is the address group of the peer, as in a Deposit.
func (c carrier) group() string { return DepositFrom(c.peer, c.remote).Group }

// until sets both deadlines. A stream that takes none is a dead one, and the
// next read or write tells so.
func (c carrier) until(t time.Time) {
	_ = c.SetReadDeadline(t)
	_ = c.SetWriteDeadline(t)
}

// drop resets the stream; what cannot be reset is gone already.
func (c carrier) drop() { _ = c.Reset() }

// openStream opens a pipe-conn stream to w.Peer. The attempts tell how the path
// was had, or why not.
func (s *Service) openStream(ctx context.Context, w reach.Want) (carrier, []reach.Attempt, error) {
	if w.Peer == s.cfg.Self {
		return s.openLocal()
	}
	path, attempts, err := s.cfg.Reach.Path(ctx, w)
	if err != nil {
		return carrier{}, attempts, err
	}
	st, err := path.OpenStream(ctx, ConnProtocol(s.cfg.Overlay))
	if err != nil {
		return carrier{}, attempts, err
	}
	return carrier{
		stream: s.held(s.usable(st, path.Transport()), w.Peer), peer: w.Peer, transport: path.Transport(),
		remote: path.Remote(), direct: path.Direct(), path: path,
	}, attempts, nil
}

// acceptStream takes a pipe-conn stream from another node. Its path is not held
// before the dialer is admitted.
func (s *Service) acceptStream(st network.Stream) {
	conn := st.Conn()
	remote := conn.RemoteMultiaddr()
	transport := reach.TransportOfConn(conn)
	from := conn.RemotePeer()
	s.acceptCarrier(s.ctx, carrier{
		stream: s.usable(st, transport), peer: from, transport: transport,
		remote: remote, direct: transport != reach.Relay,
	})
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

// heldStream keeps the path below it from being closed as one of little use.
type heldStream struct {
	stream
	release func()
}

func (s *Service) held(st stream, p peer.ID) stream { return heldStream{st, s.cfg.Reach.Hold(p)} }

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
	end := func(st stream) carrier { return carrier{stream: st, peer: s.cfg.Self, direct: true} }
	if !s.spawn(func(ctx context.Context) { s.acceptCarrier(ctx, end(far)) }) {
		return carrier{}, nil, errClosed()
	}
	return end(near), []reach.Attempt{{Started: time.Now(), Reused: true}}, nil
}
