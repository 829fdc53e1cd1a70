package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2pping "github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// pingTime is how long a ping may be on its way.
const pingTime = 3 * time.Second

// ping measures the round trip on one path with libp2p's ping protocol: the
// better of two, since the first also settles the protocol.
func ping(ctx context.Context, p reach.Path) (best time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	s, err := p.OpenStream(ctx, libp2pping.ID)
	if err != nil {
		return 0, err
	}
	defer s.Reset() // it has served
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	for range 2 {
		rtt, err := echo(s)
		if err != nil && ctx.Err() != nil {
			return best, wire.Errorf(wire.Timeout, "no answer within %s", pingTime)
		}
		if err != nil {
			return best, err
		}
		if best == 0 || rtt < best {
			best = rtt
		}
	}
	return best, nil
}

// echo sends one ping and waits for it.
func echo(s network.Stream) (time.Duration, error) {
	sent, got := make([]byte, libp2pping.PingSize), make([]byte, libp2pping.PingSize)
	rand.Read(sent) // never fails
	started := time.Now()
	if _, err := s.Write(sent); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s, got); err != nil {
		return 0, err
	}
	if !bytes.Equal(sent, got) {
		return 0, wire.Errorf(wire.BadRequest, "another ping came back than was sent")
	}
	return max(time.Since(started), 1), nil // virtual time may stand still
}
