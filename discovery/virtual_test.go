package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	virtualRTT = 50 * time.Millisecond
	askID      = "/test/ask/1"
)

// world is a virtual network of nodes inside a synctest bubble.
type world struct {
	sim   *simnet.Simnet
	nodes []*node

	mu   sync.Mutex
	dead map[string]bool // by IP: packets are lost
}

func newWorld(t *testing.T) *world {
	w := &world{dead: make(map[string]bool)}
	w.sim = &simnet.Simnet{LatencyFunc: func(p *simnet.Packet) time.Duration {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.dead[ipOf(p.From)] || w.dead[ipOf(p.To)] {
			return 1000 * time.Hour
		}
		return virtualRTT / 2
	}}
	w.sim.Start()
	t.Cleanup(w.sim.Close)
	return w
}

func ipOf(a net.Addr) string {
	h, _, _ := net.SplitHostPort(a.String())
	return h
}

// silence lets every packet from and to n get lost.
func (w *world) silence(n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range n.host.Addrs() {
		if ip, ok := addrOf(a); ok {
			w.dead[ip.String()] = true
		}
	}
}

// host makes the next host of the world.
func (w *world) host(t *testing.T, opts ...libp2p.Option) host.Host {
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(len(w.nodes)))),
		simlibp2p.QUICSimnet(w.sim, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// add starts a node that answers asks with the closer nodes it knows.
func (w *world) add(t *testing.T, cfg Config, opts ...libp2p.Option) *node {
	return w.addHost(t, w.host(t, opts...), cfg)
}

func (w *world) addHost(t *testing.T, h host.Host, cfg Config) *node {
	n := start(t, h, cfg)
	n.reach.Handle(askID, func(s network.Stream) {
		defer s.Close()
		var key wire.Key
		if _, err := io.ReadFull(s, key[:]); err != nil {
			return
		}
		json.NewEncoder(s).Encode(n.Closer(key, K, s.Conn().RemotePeer()))
	})
	w.nodes = append(w.nodes, n)
	return n
}

// ask puts key to p over the virtual network.
func (n *node) ask(ctx context.Context, key wire.Key, p peer.AddrInfo) (closer []peer.AddrInfo, err error) {
	path, _, err := n.reach.Path(ctx, reach.Want{Peer: p.ID, Addrs: p.Addrs})
	if err != nil {
		return nil, err
	}
	s, err := path.OpenStream(ctx, askID)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	end := context.AfterFunc(ctx, func() { s.Reset() })
	defer end()
	if _, err := s.Write(key[:]); err != nil {
		return nil, err
	}
	err = json.NewDecoder(s).Decode(&closer)
	return closer, err
}

func TestVirtualOverlaysOfOneTwoAndThree(t *testing.T) {
	for size := 1; size <= 3; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				began := time.Now()
				for i := range size {
					cfg := Config{}
					if i > 0 {
						cfg.Join = []peer.AddrInfo{w.nodes[0].info()}
					}
					w.add(t, cfg).ready(t, time.Minute)
				}
				if took := time.Since(began); took > time.Duration(size-1)*4*virtualRTT {
					t.Errorf("ready after %v", took)
				}
				time.Sleep(time.Second)
				for i, n := range w.nodes {
					if s := n.State(); s.Servers != size-1 || s.Table != size-1 || s.Role != RoleServer {
						t.Errorf("node %d: %+v", i, s)
					}
					r, err := n.Walk(t.Context(), testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
						return n.ask(ctx, testKey, p)
					})
					if err != nil || len(r.Closest) != size-1 || r.Failed != 0 {
						t.Errorf("node %d: %+v, %v", i, r, err)
					}
				}
				w.close()
			})
		})
	}
}

// close ends all nodes inside the bubble.
func (w *world) close() {
	for _, n := range w.nodes {
		n.close()
	}
}

func TestJoinRetriesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var attempts []time.Duration
		began := time.Now()
		var alive atomic.Bool
		bootstrap := w.add(t, Config{})
		cfg := Config{Join: []peer.AddrInfo{bootstrap.info()}}
		h := w.host(t)
		cfg.dial = func(ctx context.Context, p peer.AddrInfo) error {
			mu.Lock()
			attempts = append(attempts, time.Since(began))
			mu.Unlock()
			if !alive.Load() {
				return errors.New("refused")
			}
			return h.Connect(ctx, p)
		}
		n := w.addHost(t, h, cfg)
		time.Sleep(10 * time.Minute)
		mu.Lock()
		at := slices.Clone(attempts)
		mu.Unlock()
		if at[0] != 0 {
			t.Errorf("first attempt after %v", at[0])
		}
		pause := 500 * time.Millisecond
		for i := 1; i < len(at); i++ {
			if got := at[i] - at[i-1]; got < pause/2 || got > pause*3/2+1 {
				t.Errorf("pause %d is %v, want %v give or take half", i, got, pause)
			}
			pause = min(pause*3/2, time.Minute)
		}
		if last := at[len(at)-1]; last < 8*time.Minute {
			t.Errorf("gave up after %v", last)
		}
		alive.Store(true)
		n.ready(t, 2*time.Minute)
		w.close()
	})
}

func TestDisturbanceHasANodeJoinAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var alive atomic.Bool
		bootstrap := w.add(t, Config{})
		h := w.host(t)
		n := w.addHost(t, h, Config{Join: []peer.AddrInfo{bootstrap.info()}, dial: func(ctx context.Context, p peer.AddrInfo) error {
			if !alive.Load() {
				return errors.New("refused")
			}
			return h.Connect(ctx, p)
		}})
		time.Sleep(10 * time.Minute) // tries are a minute apart by now
		alive.Store(true)
		n.cfg.Reach.Disturb(reach.Disturbance{Changed: true})
		n.ready(t, time.Second)
		w.close()
	})
}

func TestLostBootstrapIsRejoinedAfterAJitteredPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bootstrap := w.add(t, Config{})
		n := w.add(t, Config{Join: []peer.AddrInfo{bootstrap.info()}})
		n.ready(t, time.Minute)
		time.Sleep(time.Minute)
		if err := n.host.Network().ClosePeer(bootstrap.host.ID()); err != nil {
			t.Fatal(err)
		}
		lost := time.Now()
		n.await(t, "notices", func(s State) bool { return !s.Joined })
		n.await(t, "is back", func(s State) bool { return s.Joined })
		if took := time.Since(lost); took < 250*time.Millisecond || took > 750*time.Millisecond+4*virtualRTT {
			t.Errorf("back after %v", took)
		}
		w.close()
	})
}

// crowd starts an overlay of size nodes that join through the first, and lets
// it settle.
func crowd(t *testing.T, size int, opts func() []libp2p.Option) *world {
	w := newWorld(t)
	for i := range size {
		cfg := Config{}
		if i > 0 {
			cfg.Join = []peer.AddrInfo{w.nodes[0].info()}
		}
		w.add(t, cfg, opts()...)
		time.Sleep(virtualRTT)
	}
	time.Sleep(30 * time.Second)
	return w
}

// nearestOf returns the true K nearest of all nodes but one.
func (w *world) nearestOf(key wire.Key, but *node) []peer.ID {
	var all []placed
	for _, n := range w.nodes {
		if n != but {
			all = append(all, placed{n.host.ID(), Distance(key, n.host.ID())})
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return slices.Compare(a.dist[:], b.dist[:]) })
	out := make([]peer.ID, 0, K)
	for _, p := range all[:min(K, len(all))] {
		out = append(out, p.id)
	}
	return out
}

// fewConnections keeps a node at 10 to 14 connections.
func fewConnections() []libp2p.Option {
	cm, err := connmgr.NewConnManager(10, 14, connmgr.WithGracePeriod(time.Second), connmgr.WithSilencePeriod(time.Second))
	if err != nil {
		panic(err)
	}
	return []libp2p.Option{libp2p.ConnectionManager(cm)}
}

func TestWalkFindsTheNearestWithFewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := 40
		if testing.Short() {
			size = 25 // the race detector is slow, and has been seen to give up itself in a long run
		}
		failed, missing := 0, 0
		w := crowd(t, size, fewConnections)
		conns := 0
		for _, n := range w.nodes {
			conns += len(n.host.Network().Peers())
		}
		if mean := conns / len(w.nodes); mean > 14 {
			t.Errorf("%d connections a node, though 14 are allowed", mean)
		}
		for i := range 10 {
			n := w.nodes[i*size/10]
			key := wire.Key(Distance(testKey, n.host.ID()))
			began := time.Now()
			r, err := n.Walk(t.Context(), key, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
				return n.ask(ctx, key, p)
			})
			took := time.Since(began)
			if err != nil {
				t.Error(err)
			}
			failed += r.Failed
			for _, p := range w.nearestOf(key, n) {
				if !slices.Contains(ids(r.Closest), p) {
					missing++
				}
			}
			if took > 8*virtualRTT {
				t.Errorf("walk %d took %v", i, took)
			}
		}
		// A node with too many connections may cut the one on which it is asked.
		if failed > 2 || missing > 2 {
			t.Errorf("of 200 nearest nodes %d were missed; %d did not answer", missing, failed)
		}
		w.close()
	})
}

func TestSilentNodesDoNotHoldTheWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crowd(t, 30, func() []libp2p.Option { return nil })
		n := w.nodes[0]
		gone := w.nearestOf(testKey, n)[:6]
		for _, m := range w.nodes {
			if slices.Contains(gone, m.host.ID()) {
				w.silence(m)
			}
		}
		walk := func() (WalkResult, time.Duration) {
			began := time.Now()
			r, err := n.Walk(t.Context(), testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
				return n.ask(ctx, testKey, p)
			})
			if err != nil {
				t.Error(err)
			}
			return r, time.Since(began)
		}
		r, took := walk()
		if len(r.Closest) < K-6 || took > minPatience+2*virtualRTT {
			t.Errorf("%d answered, took %v", len(r.Closest), took)
		}
		for _, p := range n.Closer(testKey, K) {
			if slices.Contains(gone, p.ID) {
				t.Error("a silent node is told to others")
			}
		}
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		n.Walk(ctx, testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
			closer, err := n.ask(ctx, testKey, p)
			if err == nil {
				cancel()
			}
			return closer, err
		})
		if took := time.Since(began); took > virtualRTT+virtualRTT/10 {
			t.Errorf("the next walk has its first answer after %v", took)
		}
		w.close()
	})
}

func TestCancelledWalkEndsAtOnceAndJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crowd(t, 12, func() []libp2p.Option { return nil })
		n := w.nodes[3]
		out := make(chan struct{}, K)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, wire.Errorf(wire.Timeout, "enough"))
		defer cancel()
		began := time.Now()
		_, err := n.Walk(ctx, testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
			out <- struct{}{}
			defer func() { <-out }()
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, wire.Timeout) || time.Since(began) != 10*time.Millisecond || len(out) != 0 {
			t.Errorf("%v after %v with %d asks out", err, time.Since(began), len(out))
		}
		if len(n.servers.suspects) != 0 {
			t.Error("suspects nodes that had no time to answer")
		}
		w.close()
	})
}

func TestAskThatNeverReturnsAnAnswerTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.add(t, Config{})
		b := w.add(t, Config{Join: []peer.AddrInfo{a.info()}, AskTimeout: 500 * time.Millisecond})
		b.ready(t, time.Minute)
		began := time.Now()
		r, err := b.Walk(t.Context(), testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if err != nil || time.Since(began) != 500*time.Millisecond || len(r.Closest) != 0 {
			t.Errorf("%+v, %v after %v", r, err, time.Since(began))
		}
		w.close()
	})
}

// TestLiarIsNoObstacle has one node answer with nonsense: itself, the asker,
// nodes that do not exist right at the key, ten thousand of them.
func TestLiarIsNoObstacle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := crowd(t, 30, func() []libp2p.Option { return nil })
		n := w.nodes[0]
		nowhere := w.nodes[29]
		w.silence(nowhere)
		w.nodes = w.nodes[:29]
		defer nowhere.close()
		liar := w.nearestOf(testKey, n)[2]
		lies := makeInfos(testKey, 10000)
		for i := range lies {
			lies[i].Addrs = []ma.Multiaddr{nowhere.host.Addrs()[0], nil}
		}
		lies[1] = n.info()
		lies[2] = peer.AddrInfo{ID: liar, Addrs: []ma.Multiaddr{makeAddr(1)}}
		var mu sync.Mutex
		asked := make(map[peer.ID]int)
		r, err := n.Walk(t.Context(), testKey, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
			mu.Lock()
			asked[p.ID]++
			mu.Unlock()
			if p.ID == liar {
				return lies, nil
			}
			return n.ask(ctx, testKey, p)
		})
		if err != nil || asked[n.host.ID()] != 0 || asked[liar] != 1 {
			t.Errorf("%v, asked itself %d times, the liar %d times", err, asked[n.host.ID()], asked[liar])
		}
		if r.Asked > 29+K {
			t.Errorf("asked %d", r.Asked)
		}
		for _, p := range w.nearestOf(testKey, n) {
			if !slices.Contains(ids(r.Closest), p) {
				t.Error("a true node was missed")
			}
		}
		w.close()
	})
}
