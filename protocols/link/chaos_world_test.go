package link

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// chaosWorld is real hosts on a virtual network, in the bubble of one run. Each
// host listens on two ports, so that there is another way when one is cut off.
type chaosWorld struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand // of the goroutine that plays
	net  *simnet.Simnet

	mu      sync.Mutex
	oneWay  time.Duration
	late    time.Duration // what packets take besides
	parted  bool
	dead    map[netip.Addr]bool
	cut     map[[2]netip.AddrPort]bool // nothing passes from one to the other
	hosts   []*chaosHost
	owner   [2]*chaosHost // of each end, as a search finds it
	breach  string        // the first that an honest node saw
	closing sync.WaitGroup
}

// chaosHost is a node of the world.
type chaosHost struct {
	w      *chaosWorld
	num    int
	ip     netip.Addr
	id     peer.ID
	host   host.Host
	reach  *reach.Reach
	trunks *trunk.Trunks
	links  *Links
	app    *hostApp // uses the end that is or was here; guarded by w.mu
}

// lostPacket is when a packet arrives that is lost: long after the run.
const lostPacket = 1000 * time.Hour

func newChaosWorld(t *testing.T, seed uint64) *chaosWorld {
	rng := rand.New(rand.NewPCG(seed, 5))
	w := &chaosWorld{
		t: t, seed: seed, rng: rng, oneWay: time.Duration(2+rng.IntN(60)) * time.Millisecond,
		dead: make(map[netip.Addr]bool), cut: make(map[[2]netip.AddrPort]bool),
	}
	w.net = &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: w.latency}
	w.net.Start()
	return w
}

// latency is the fate of a packet.
func (w *chaosWorld) latency(p *simnet.Packet) time.Duration {
	from, to := addrPort(p.From), addrPort(p.To)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parted || w.dead[from.Addr()] || w.dead[to.Addr()] || w.cut[[2]netip.AddrPort{from, to}] {
		return lostPacket
	}
	return w.oneWay + w.late
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// change changes the network, and undoes that after a while; zero is never.
func (w *chaosWorld) change(for_ time.Duration, do, undo func()) {
	w.mu.Lock()
	do()
	w.mu.Unlock()
	if for_ > 0 {
		time.AfterFunc(for_, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			undo()
		})
	}
}

// gives notes whose end comes to a host.
func (w *chaosWorld) gives(n *chaosHost, a *hostApp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.app = a
}

// add starts a host.
func (w *chaosWorld) add() *chaosHost {
	w.mu.Lock()
	n := &chaosHost{w: w, num: len(w.hosts)}
	n.ip = netip.AddrFrom4([4]byte{byte(12 + n.num), 1, 1, 1})
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, w.seed)
	seed[8] = byte(n.num)
	window, memory := w.window(), w.memory()
	w.hosts = append(w.hosts, n)
	w.mu.Unlock()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	w.must(err)
	id, err := peer.IDFromPrivateKey(key)
	w.must(err)
	w.mu.Lock()
	n.id = id
	w.mu.Unlock()
	speed := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	n.host, err = libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", n.ip), fmt.Sprintf("/ip4/%s/udp/8001/quic-v1", n.ip)),
		libp2p.AddrsFactory(reach.HideAdopted), libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableMetrics(),
		libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}),
		simlibp2p.QUICSimnet(w.net, simnet.NodeBiDiLinkSettings{Downlink: speed, Uplink: speed}),
	)
	w.must(err)
	n.reach, err = reach.New(reach.Config{Host: n.host})
	w.must(err)
	n.links = New(Config{
		Self: n.host.ID(), Trunks: n, Redial: n.redial, Follow: n.follow, Authorise: authorise, Grace: simGrace, Window: window,
		Memory: memory, Hostile: n.hostile,
	})
	n.trunks, err = trunk.New(trunk.Config{Self: n.host.ID(), Overlay: "chaos", Reach: n.reach, Accept: n.links.Accept})
	w.must(err)
	return n
}

func (w *chaosWorld) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// window is tiny for a third of the hosts, and memory is nothing for a quarter.
func (w *chaosWorld) window() uint64 {
	if len(w.hosts) < 2 && w.rng.IntN(3) == 0 { // who imports must take what the other had given
		return firstWindow
	}
	return simMost
}

func (w *chaosWorld) memory() uint64 {
	if len(w.hosts) < 2 && w.rng.IntN(4) == 0 {
		return 1 << 20 // an eighth of what is left may be had at once
	}
	return 0
}

// Attach gives links the trunks, which are made after them.
func (n *chaosHost) Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error) {
	return n.trunks.Attach(ctx, p, o, own)
}

// path connects to another host.
func (n *chaosHost) path(ctx context.Context, to *chaosHost) (reach.Path, error) {
	p, _, err := n.reach.Path(ctx, reach.Want{Peer: to.host.ID(), Addrs: to.host.Addrs(), Explicit: true})
	return p, err
}

// redial finds the far end where it was, or where a search finds it.
func (n *chaosHost) redial(ctx context.Context, r Route) (reach.Path, error) {
	n.w.mu.Lock()
	to := n.w.owner[n.w.sideOfLocked(r.Peer)]
	n.w.mu.Unlock()
	return n.path(ctx, to)
}

// follow goes where the far end says that it has moved.
func (n *chaosHost) follow(ctx context.Context, _ Route, hint []byte) (reach.Path, error) {
	n.w.mu.Lock()
	to := n.w.hosts[hint[0]]
	n.w.mu.Unlock()
	return n.path(ctx, to)
}

// sideOfLocked is which end a host has or had.
func (w *chaosWorld) sideOfLocked(p peer.ID) int {
	for _, n := range w.hosts {
		if n.app != nil && n.id == p {
			return n.app.at
		}
	}
	return 0
}

func hostToken(p peer.ID) []byte { return []byte("may have it: " + p.String()) }

func authorise(_ context.Context, c Claim) error {
	if string(c.Token) != string(hostToken(c.To)) {
		return wire.Errorf(wire.Forbidden, "not the token of %s", c.To)
	}
	return nil
}

// hostile notes what an honest node saw: there are no others here.
func (n *chaosHost) hostile(p peer.ID, err error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.w.breach == "" {
		n.w.breach = fmt.Sprintf("host %d saw %s break the rules: %v", n.num, p, err)
	}
}

// stop stops a host.
func (n *chaosHost) stop() {
	_ = n.links.Close()
	_ = n.trunks.Close()
	_ = n.reach.Close()
	_ = n.host.Close()
}

// close stops all.
func (w *chaosWorld) close() {
	for _, n := range w.hosts {
		w.closing.Go(n.stop)
	}
	w.closing.Wait()
	w.net.Close()
}
