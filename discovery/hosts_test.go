package discovery

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a host with its reach and discovery, running.
type node struct {
	*Discovery
	host  host.Host
	reach *reach.Reach
	close func() // also called when the test ends
}

// info is how others join through n.
func (n *node) info() peer.AddrInfo {
	return peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()}
}

// loopback makes a host on a real socket.
func loopback(t *testing.T, opts ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start runs a discovery on h, which it closes in the end.
func start(t *testing.T, h host.Host, cfg Config) *node {
	t.Helper()
	r, err := reach.New(reach.Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host, cfg.Reach = h, r
	if cfg.Overlay == "" {
		cfg.Overlay = "test"
	}
	d, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- d.Run(context.Background()) }()
	n := &node{Discovery: d, host: h, reach: r}
	var once sync.Once
	n.close = func() {
		once.Do(func() {
			if err := d.Close(); err != nil {
				t.Error("close:", err)
			}
			if err := <-ran; err != nil {
				t.Error("run:", err)
			}
			r.Close()
			h.Close()
		})
	}
	t.Cleanup(n.close)
	return n
}

// ready waits until n is, and fails the test after limit.
func (n *node) ready(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// await waits until the state of n satisfies is.
func (n *node) await(t *testing.T, what string, is func(State) bool) State {
	t.Helper()
	states, cancel := n.Subscribe()
	defer cancel()
	late := time.After(20 * time.Second)
	var last State
	for {
		select {
		case s := <-states:
			if last = s; is(s) {
				return s
			}
		case <-late:
			t.Fatalf("%s: still %+v", what, last)
		}
	}
}

// shelf is a PeerStore in memory.
type shelf struct {
	mu    sync.Mutex
	peers []peer.AddrInfo
	saved chan []peer.AddrInfo // gets each list, if not nil
}

func (s *shelf) RememberPeers(_ context.Context, peers []peer.AddrInfo) error {
	s.mu.Lock()
	s.peers = peers
	s.mu.Unlock()
	if s.saved != nil {
		s.saved <- peers
	}
	return nil
}

func (s *shelf) RememberedPeers(context.Context) ([]peer.AddrInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers, nil
}
