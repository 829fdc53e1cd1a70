package reach

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Caps of what a Gate remembers; the oldest goes first.
const (
	maxVouched   = 256  // by one voucher
	maxConnected = 1024 // peers at an address
	maxSeen      = 4096

	seenFor    = time.Hour        // that a peer was at an address
	outsideFor = 10 * time.Minute // that somebody outside was met, until Discovery tells
)

// Voucher is who says that a peer is at an address that no stranger may name.
type Voucher uint8

// Vouchers.
const (
	ByPerson Voucher = iota // typed, or in a ticket
	ByLAN                   // heard by mDNS
	ByMemory                // this node was connected there in an earlier run
	vouchers
)

// Own is what a node knows of its own place in the network.
type Own struct {
	Public  []netip.Addr   // its public addresses: on interfaces, verified, or seen by others
	Links   []netip.Prefix // networks of its interfaces
	Outside bool           // it is in touch with a node at a public address elsewhere
}

// Gate is the connection gater of a node: it decides which addresses are
// dialled, by whatever part of the node, as "What is dialled" in the package
// comment specifies. Incoming connections and all else it leaves to the gater
// that it wraps.
type Gate struct {
	inner connmgr.ConnectionGater // nil for none; fixed
	shut  atomic.Bool             // by Close

	mu         sync.Mutex
	own        Own
	metOutside time.Time           // when somebody outside was last connected
	vouched    [vouchers]*recently // peers at places, and names
	connected  *recently           // where this node has dialled a peer with success
	seen       *recently           // peers at public sites: connected, or seen by a holder
	spent      *budget
}

var _ connmgr.ConnectionGater = (*Gate)(nil)

// NewGate makes a Gate round a gater of an embedder, nil for none.
func NewGate(inner connmgr.ConnectionGater) *Gate {
	g := &Gate{
		inner: inner, connected: newRecently(maxConnected), seen: newRecently(maxSeen), spent: newBudget(),
	}
	for by := range g.vouched {
		g.vouched[by] = newRecently(maxVouched)
	}
	return g
}

// Close has every dial refused from now on, those about to be allowed too. It
// comes before the host's own: a direct dial that go-libp2p has begun to prepare
// when its swarm closes finds no transport, and crashes the program
// (nonProxyAddr in v0.51). Not all that dials can be stopped before that: hole
// punching, AutoNAT's dials back, AutoRelay and identify end with the host.
func (g *Gate) Close() error {
	g.shut.Store(true)
	return nil
}

// Trust notes that p is vouched for at addrs, whatever port it has there. For a
// relayed address it is the relay that is. What mDNS heard and what is
// remembered count for addresses of local networks alone; and nobody else on the
// LAN can vouch for what is on this machine.
func (g *Gate) Trust(by Voucher, p peer.ID, addrs ...ma.Multiaddr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range addrs {
		t := targetOf(p, a)
		switch {
		case by == ByLAN && t.kind != classPrivate && t.kind != classLocal,
			by != ByPerson && (t.kind == classPublic || t.kind == className || t.kind == classCloud):
			continue
		}
		g.vouched[by].note(t.mark(), time.Now())
	}
}

// SetOwn tells where this node is now. moved says that it is in another network
// than it was, so that whom it met before does not count.
func (g *Gate) SetOwn(own Own, moved bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own = own
	if moved {
		g.metOutside = time.Time{}
	}
}

// sighted notes that somebody saw p at public addresses of these.
func (g *Gate) sighted(p peer.ID, addrs []ma.Multiaddr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range addrs {
		if t := targetOf(p, a); t.kind == classPublic && t.peer == p {
			g.seen.note(mark{peer: p, ip: siteOf(t.ip)}, time.Now())
		}
	}
}

// InterceptPeerDial is asked before a peer is dialled.
func (g *Gate) InterceptPeerDial(p peer.ID) bool {
	return !g.shut.Load() && (g.inner == nil || g.inner.InterceptPeerDial(p))
}

// InterceptAddrDial is asked before an address is dialled; yes spends of the
// budgets.
func (g *Gate) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	ok := g.admits(p, a) && (g.inner == nil || g.inner.InterceptAddrDial(p, a))
	return ok && !g.shut.Load() // last: inner may have taken its time
}

// InterceptAccept is asked before an incoming connection is taken.
func (g *Gate) InterceptAccept(c network.ConnMultiaddrs) bool {
	return g.inner == nil || g.inner.InterceptAccept(c)
}

// InterceptSecured is asked once the far side has proven who it is.
func (g *Gate) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	if g.inner != nil && !g.inner.InterceptSecured(dir, p, c) {
		return false
	}
	g.met(dir, p, c.RemoteMultiaddr())
	return true
}

// InterceptUpgraded is asked when a connection is complete.
func (g *Gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if g.inner == nil {
		return true, 0
	}
	return g.inner.InterceptUpgraded(c)
}

// met learns from a connection where its far end is.
func (g *Gate) met(dir network.Direction, p peer.ID, a ma.Multiaddr) {
	t := targetOf(p, a)
	if TransportOf(a) == Relay || !t.ip.IsValid() {
		return
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if dir == network.DirOutbound {
		// Where an incoming one comes from may be a proxy, which is many.
		g.connected.note(t.mark(), now)
		g.spent.release(place{p, t.ip})
	}
	if t.kind != classPublic {
		return
	}
	g.seen.note(mark{peer: p, ip: siteOf(t.ip)}, now)
	if !g.neighbouringLocked(t.ip) {
		g.metOutside = now
	}
}

// neighbouringLocked reports that ip is on a link of this machine, or its own.
func (g *Gate) neighbouringLocked(ip netip.Addr) bool {
	for _, l := range g.own.Links {
		if l.Contains(ip) {
			return true
		}
	}
	for _, own := range g.own.Public {
		if siteOf(own) == siteOf(ip) {
			return true
		}
	}
	return false
}
