package pipe

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// oneWay is how long a packet takes in virtual worlds: the round trip is 50 ms.
const oneWayLatency = 25 * time.Millisecond

const rtt = 2 * oneWayLatency

// virtual runs a test in a world of n nodes on virtual time and a virtual
// network.
func virtual(t *testing.T, n int, test func(t *testing.T, w *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &sim{world: &world{t: t}, net: &simnet.Simnet{
			LatencyFunc: simnet.StaticLatency(oneWayLatency), Logger: slog.New(slog.DiscardHandler),
		}}
		w.hosts = w.host
		w.net.Start()
		defer w.net.Close()
		defer func() {
			w.mu.Lock()
			nodes := w.nodes
			w.mu.Unlock()
			var wg sync.WaitGroup
			for _, n := range nodes {
				wg.Go(n.stop)
			}
			wg.Wait()
		}()
		for range n {
			w.add()
		}
		test(t, w)
	})
}

// connected is virtual in which everybody is connected with everybody.
func connected(t *testing.T, n int, test func(t *testing.T, w *sim)) {
	t.Helper()
	virtual(t, n, func(t *testing.T, w *sim) {
		w.meet()
		test(t, w)
	})
}

// sim is a world on a virtual network.
type sim struct {
	*world
	net   *simnet.Simnet
	next  atomic.Int32
	muted sync.Map // IP text → true: neither sends nor receives
}

// mute cuts a node off.
func (w *sim) mute(n *node)   { w.muted.Store(ipText(n.host.Addrs()[0]), true) }
func (w *sim) unmute(n *node) { w.muted.Delete(ipText(n.host.Addrs()[0])) }

func ipText(a ma.Multiaddr) string {
	ip, _ := a.ValueForProtocol(ma.P_IP4)
	return ip
}

func (w *sim) host(key crypto.PrivKey) host.Host {
	addr := fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(int(w.next.Add(1))))
	source := new(sourceIP)
	link := simnet.LinkSettings{BitsPerSecond: 100_000_000}
	h, err := libp2p.New(
		libp2p.Identity(key), libp2p.ListenAddrStrings(addr), libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableRelay(),
		libp2p.QUICReuse(
			func(l fx.Lifecycle, srk quic.StatelessResetKey, tk quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
				cm, err := quicreuse.NewConnManager(srk, tk, opts...)
				if err == nil {
					l.Append(fx.StopHook(cm.Close)) // the host closes only one of its own making
				}
				return cm, err
			},
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source, nil }),
			quicreuse.OverrideListenUDP(func(_ string, at *net.UDPAddr) (net.PacketConn, error) {
				source.ip.Store(&at.IP)
				c := w.net.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link})
				return &simSocket{SimConn: c, sim: w, ip: at.IP.String()}, nil
			}),
		),
	)
	must(w.t, err)
	return h
}

// simSocket loses what a muted node sends or should receive.
type simSocket struct {
	*simnet.SimConn
	sim *sim
	ip  string
}

func (s *simSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if _, lost := s.sim.muted.Load(s.ip); lost {
		return len(b), nil
	}
	if _, lost := s.sim.muted.Load(to.(*net.UDPAddr).IP.String()); lost {
		return len(b), nil
	}
	return s.SimConn.WriteTo(b, to)
}

type sourceIP struct{ ip atomic.Pointer[net.IP] }

func (s *sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return *s.ip.Load(), nil
}

// meet connects everybody with everybody, so that figures are of the protocol
// alone.
func (w *sim) meet() {
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			must(w.t, a.host.Connect(context.Background(), b.info()))
		}
	}
	pass(time.Second)
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
