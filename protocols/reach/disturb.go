package reach

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Disturbance is what makes connections dead without a word. Package netwatch
// notices it.
type Disturbance struct {
	Slept   time.Duration // how long the machine, or this process, slept; 0: it did not
	Changed bool          // addresses, interfaces or default routes have changed
	Gone    []netip.Addr  // addresses that the machine had, and has not any more
}

// maxProbes is how many paths that carry nobody are probed at a time.
const maxProbes = 32

// Disturb acts on d: connections from addresses that are gone are closed; the
// others are put in doubt, those of peers that are held at once and the rest
// a few at a time; dials under way begin again and back-offs are forgotten; and
// better paths are sought at once. Swarm and host look at the machine's addresses
// anew. It returns when what is dead for sure is closed, and calls of Path do not
// find it any more. Then Disturbed tells.
func (r *Reach) Disturb(d Disturbance) {
	if !r.enter() {
		return
	}
	defer r.running.Done()
	for _, p := range r.sw.Peerstore().PeersWithAddrs() {
		r.sw.Backoff().Clear(p)
	}
	r.closeGone(d.Gone)
	era := r.nextEra()
	held := make(map[peer.ID]bool)
	for _, p := range r.keeps.peers() {
		held[p] = true
	}
	var rest []network.Conn
	for _, c := range r.sw.Conns() {
		if held[c.RemotePeer()] {
			r.Doubt(Path{c, r})
		} else {
			rest = append(rest, c)
		}
	}
	r.running.Go(func() { r.doubtInTurn(era, rest) })
	r.wakeImprovers()
	if d.Changed {
		r.ring()
	}
	r.disturbances.tell(d)
}

// closeGone closes the connections from addresses that this machine has not
// any more. Where the local address is not known, as that of most QUIC
// connections, a probe has to tell.
func (r *Reach) closeGone(gone []netip.Addr) {
	var closing sync.WaitGroup
	for _, c := range r.sw.Conns() {
		if ip, ok := localIP(c); ok && slices.Contains(gone, ip) {
			r.cfg.Log.Debug("path has lost its address", "peer", c.RemotePeer(), "from", ip)
			closing.Go(func() { _ = c.Close() })
		}
	}
	closing.Wait()
}

// localIP is this side's address of c; that of a relayed one is where it goes
// out to the relay.
func localIP(c network.Conn) (netip.Addr, bool) {
	ip, err := manet.ToIP(c.LocalMultiaddr())
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	return addr, ok && !addr.IsUnspecified() && !addr.IsLoopback()
}

// doubtInTurn puts connections in doubt, maxProbes at a time, until ctx ends.
func (r *Reach) doubtInTurn(ctx context.Context, conns []network.Conn) {
	var pending []<-chan struct{}
	for _, c := range conns {
		if len(pending) == maxProbes {
			select {
			case <-pending[0]:
				pending = pending[1:]
			case <-ctx.Done():
				return
			}
		}
		pending = append(pending, r.Doubt(Path{c, r}))
	}
}

// nextEra ends what r.here gave out, and begins anew.
func (r *Reach) nextEra() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endEra()
	r.era, r.endEra = context.WithCancel(context.Background())
	return r.era
}

// here is ctx until the next Disturbance.
func (r *Reach) here(ctx context.Context) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	era := r.era
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(era, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// obtainHere makes a path as obtain does, and begins again at a Disturbance:
// what was sent before may have come from an address that is gone, or wait for
// its next repetition.
func (r *Reach) obtainHere(ctx context.Context, w Want) (network.Conn, []Attempt, error) {
	for {
		here, cancel := r.here(ctx)
		conn, attempts, ended := r.obtain(here, w)
		disturbed := here.Err() != nil && ctx.Err() == nil
		cancel()
		if conn != nil || !disturbed {
			return conn, attempts, ended
		}
	}
}
