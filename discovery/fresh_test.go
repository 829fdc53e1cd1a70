package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// walkOf has n walk to testKey over the virtual network.
func walkOf(t *testing.T, n *node) (WalkResult, error) {
	return n.Walk(t.Context(), testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
		return n.ask(ctx, testKey, p)
	})
}

func TestAWalkRightAfterTheStartNeedsNoReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 4 {
			cfg := Config{}
			if i > 0 {
				cfg.Join = []peer.AddrInfo{w.nodes[0].info()}
			}
			w.add(t, cfg)
		}
		time.Sleep(time.Minute)
		fresh := w.add(t, Config{Join: []peer.AddrInfo{w.nodes[0].info()}})
		began := time.Now()
		r, err := walkOf(t, fresh)
		// A connection and a question, to the node to join through and to
		// those that it names.
		if took := time.Since(began); took > 4*virtualRTT+virtualRTT/5 {
			t.Errorf("walked in %v", took)
		}
		if err != nil || len(r.Closest) != 4 || r.Failed != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestAWalkWaitsForTheFirstJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.add(t, Config{})
		w.silence(first)
		n := w.add(t, Config{Join: []peer.AddrInfo{first.info()}, JoinTimeout: 2 * time.Second})
		heal := time.AfterFunc(3*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.dead)
		})
		defer heal.Stop()
		if r, err := walkOf(t, n); err != nil || len(r.Closest) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestAWalkBeforeAnyJoinIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		nowhere := peer.AddrInfo{ID: makePeer(1), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/9.9.9.9/udp/1/quic-v1")}}
		n := w.add(t, Config{Join: []peer.AddrInfo{nowhere}, JoinTimeout: 2 * time.Second})
		began := time.Now()
		_, err := walkOf(t, n)
		if took := time.Since(began); !errors.Is(err, wire.NotReady) || took > 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
