package reach

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Path is one connection to a peer over one transport. Paths are comparable:
// two are equal when they are the same connection. The zero Path is none, and
// nothing but IsZero may be asked of it.
type Path struct {
	conn  network.Conn
	reach *Reach
}

// PathOf is a connection of this host as a Path, as for a stream that came in.
func (r *Reach) PathOf(c network.Conn) Path { return Path{c, r} }

// IsZero reports whether p is no path at all.
func (p Path) IsZero() bool { return p.conn == nil }

// Peer is the node at the far end.
func (p Path) Peer() peer.ID { return p.conn.RemotePeer() }

// Transport names the transport of the connection.
func (p Path) Transport() Transport { return TransportOfConn(p.conn) }

// Remote is the far end's address as this side sees it, without its peer ID.
func (p Path) Remote() ma.Multiaddr { return p.conn.RemoteMultiaddr() }

// Direct reports that no relay stands between.
func (p Path) Direct() bool { return p.Transport() != Relay }

// better reports that whoever has the choice should take p rather than q.
func (p Path) better(q Path) bool { return p.Direct() && !q.Direct() }

// age is how long ago the connection came about.
func (p Path) age() time.Duration { return time.Since(p.conn.Stat().Opened) }

// Live reports that the connection has not been closed by either side, as far
// as this side has noticed. What the swarm has taken off its books is closed,
// even if its transport takes a moment to say so, as WebTransport's does.
func (p Path) Live() bool {
	return !p.conn.IsClosed() && slices.Contains(p.reach.sw.ConnsToPeer(p.Peer()), p.conn)
}

// Conn is the connection itself, for what needs more than a Path gives.
func (p Path) Conn() network.Conn { return p.conn }

// Close closes the connection, with every stream on it, at both sides.
func (p Path) Close() error { return p.conn.Close() }

// OpenStream opens a stream for protocol id on this very connection. Nothing
// is sent before the first Write, CloseWrite or Read, and nothing waits for
// identify: whether the peer speaks id shows at the first Read.
//
// Errors: Unreachable for a connection that turned out dead (it is closed
// then, so that nobody is given it again), Limit for this node's own limits,
// Timeout (the path is put in doubt) and Closed when ctx ended.
func (p Path) OpenStream(ctx context.Context, id protocol.ID) (network.Stream, error) {
	s, err := p.open(ctx, id)
	switch {
	case err == nil:
		s.doubt = func() { p.reach.Doubt(p) }
		return s, nil
	case wire.CodeOf(err) == wire.Timeout:
		p.reach.Doubt(p)
	}
	return nil, err
}

// open opens a stream that puts nothing in doubt.
func (p Path) open(ctx context.Context, id protocol.ID) (*stream, error) {
	s, err := p.conn.NewStream(network.WithAllowLimitedConn(ctx, string(id)))
	if err != nil {
		return nil, p.openFailed(ctx, id, err)
	}
	if err := s.SetProtocol(id); err != nil {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded) // the error that counts is at hand
		return nil, streamLimit(p.Peer(), id, err)
	}
	return outbound(s, id, p.reach.meters.of(p.conn)), nil
}

// openFailed says why no stream came about, and closes a dead connection.
func (p Path) openFailed(ctx context.Context, id protocol.ID, err error) error {
	switch {
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return streamLimit(p.Peer(), id, err)
	case errors.Is(ctx.Err(), context.Canceled):
		return wire.Errorf(wire.Closed, "opening a stream to %s was cancelled: %w", p.Peer(), err)
	case !p.conn.IsClosed() && errors.Is(err, context.DeadlineExceeded):
		return wire.Errorf(wire.Timeout, "%s gave no room for a stream in time: %w", p.Peer(), err)
	}
	// All that is left is a connection that is dead, though not every muxer
	// says so at once. Closing takes it off the books.
	_ = p.conn.Close()
	if limit := atLimit(p.conn, p.reach.meters.of(p.conn), err); limit != nil {
		return limit
	}
	return lost(p.conn, err)
}

// streamLimit says that this node's resource manager refused a stream.
func streamLimit(to peer.ID, id protocol.ID, err error) error {
	return wire.Errorf(wire.Limit, "no more streams for %s to %s: this node's limits are reached: %w", id, to, err).
		WithNext("raise limits.streams_per_peer or limits.streams")
}

// TransportOfConn names the transport of a connection. Its address alone does
// not always tell: that of an inbound WebRTC connection is a bare UDP port.
func TransportOfConn(c network.Conn) Transport {
	if t := TransportOf(c.RemoteMultiaddr()); t != Any {
		return t
	}
	if t, err := ParseTransport(c.ConnState().Transport); err == nil {
		return t
	}
	return Any
}
