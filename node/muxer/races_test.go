package muxer

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// scopedPair is connPair with scopes that count.
func scopedPair(t *testing.T, of [2]network.Multiplexer) (conns [2]network.MuxedConn, scopes [2]*stingy) {
	t.Helper()
	a, b := socketPair(t)
	for i := range scopes {
		scopes[i] = new(stingy)
		scopes[i].left.Store(1 << 30)
	}
	var err error
	if conns[0], err = of[0].NewConn(a, false, scopes[0]); err != nil {
		t.Fatal(err)
	}
	if conns[1], err = of[1].NewConn(b, true, scopes[1]); err != nil {
		t.Fatal(err)
	}
	return conns, scopes
}

// worry does things to a stream, as others do, until it is over.
func worry(s network.MuxedStream, random *rand.Rand) {
	soon := func() time.Time { return time.Now().Add(time.Duration(random.IntN(2000)) * time.Microsecond) }
	for range 20 {
		switch random.IntN(12) {
		case 0, 1, 2:
			_ = s.SetReadDeadline(soon())
			_, _ = s.Read(make([]byte, 1+random.IntN(100_000)))
		case 3, 4, 5:
			_ = s.SetWriteDeadline(soon())
			_, _ = s.Write(make([]byte, random.IntN(100_000)))
		case 6:
			_, _ = s.Write(make([]byte, random.IntN(200)))
		case 7:
			_ = s.SetDeadline(soon())
		case 8:
			_ = s.CloseWrite()
		case 9:
			_ = s.CloseRead()
		case 10:
			_ = s.Close()
		case 11:
			_ = s.Reset()
		}
	}
	_ = s.Reset()
}

// TestAllAtOnce: streams are opened, used and ended from all sides, and the
// connection ends in the middle of it. All returns, and all is given back.
func TestAllAtOnce(t *testing.T) {
	for name, of := range pairings {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(8) {
				conns, scopes := scopedPair(t, of)
				var all sync.WaitGroup
				hands := func(s network.MuxedStream, i uint64) {
					many := uint64(2)
					if _, ok := s.(*stream); !ok {
						many = 1 // of two readers go-yamux may wake but one
					}
					for hand := range many {
						all.Go(func() { worry(s, rand.New(rand.NewPCG(seed, 2*i+hand))) }) //nolint:gosec // a test
					}
				}
				for side, c := range conns {
					all.Go(func() {
						for i := range uint64(40) {
							s, err := c.OpenStream(context.Background())
							if err != nil {
								return
							}
							hands(s, 1000*uint64(side)+i)
							if i == 30 && side == int(seed)%2 {
								all.Go(func() { _ = c.CloseWithError(network.ConnErrorCode(seed % 3)) })
							}
						}
					})
					all.Go(func() {
						for i := uint64(0); ; i++ {
							s, err := c.AcceptStream()
							if err != nil {
								return
							}
							hands(s, 5000+1000*uint64(side)+i)
						}
					})
				}
				all.Wait()
				for i, c := range conns {
					_ = c.Close()
					if n := scopes[i].reserved.Load(); n != 0 && of[i] == New() {
						t.Errorf("seed %d: %d bytes are reserved", seed, n)
					}
				}
			}
		})
	}
}
