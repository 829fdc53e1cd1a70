package reach

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/quic-go/quic-go"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Ping has the far side send 32 bytes back, so many times one after the other
// on one stream (libp2p's ping protocol), and tells the shortest round trip so
// far. The first also settles the protocol. It puts nothing in doubt.
//
// Errors: Timeout for silence until ctx ends, Busy where the path gave no room
// for a stream until then, BadRequest for another answer, and those of streams.
func (p Path) Ping(ctx context.Context, times int) (best time.Duration, err error) {
	return p.ping(ctx, times, false)
}

// insistent is one Ping that is repeated until it is answered.
func (p Path) insistent(ctx context.Context) error {
	_, err := p.ping(ctx, 1, true)
	return err
}

func (p Path) ping(ctx context.Context, times int, again bool) (best time.Duration, err error) {
	s, err := p.open(ctx, ping.ID)
	if wire.CodeOf(err) == wire.Timeout {
		// A living connection has no room either when its streams are used up.
		return 0, wire.Errorf(wire.Busy, "no room for a ping: %w", err)
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if until, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(until) // where it is not supported, the reset above ends the wait
	}
	for range times {
		rtt, err := s.echo(again)
		if err != nil {
			return best, p.unanswered(ctx, err)
		}
		if best == 0 || rtt < best {
			best = rtt
		}
	}
	return best, nil
}

// echo sends one ping and waits for it. If it sends it again and again
// meanwhile, the stream is of no more use after it.
func (s *stream) echo(again bool) (time.Duration, error) {
	sent, back := make([]byte, ping.PingSize), make([]byte, ping.PingSize)
	rand.Read(sent) // never fails
	began := time.Now()
	if _, err := s.Write(sent); err != nil {
		return 0, err
	}
	if again {
		defer insist(s, sent)()
	}
	if _, err := io.ReadFull(s, back); err != nil {
		return 0, err
	}
	if !bytes.Equal(sent, back) {
		return 0, wire.Errorf(wire.BadRequest, "%s answered a ping with something else", s.Conn().RemotePeer())
	}
	return max(time.Since(began), 1), nil // virtual time may stand still
}

// unanswered is why a ping failed: the stream was reset if ctx has ended.
func (p Path) unanswered(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), err == os.ErrDeadlineExceeded:
		return wire.Errorf(wire.Timeout, "%s did not answer a ping in time", p.Peer())
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// Received is how many packets have come on the path, 0 where the transport does
// not count them: only QUIC does. More than before is a hint that the far side
// lives, and no proof: it counts what somebody else sent in its name.
func (p Path) Received() uint64 {
	var q *quic.Conn
	if !p.conn.As(&q) {
		return 0
	}
	return q.ConnectionStats().PacketsReceived
}
