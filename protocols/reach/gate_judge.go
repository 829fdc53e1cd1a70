package reach

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// admits decides on a dial, and spends of the budgets.
func (g *Gate) admits(p peer.ID, a ma.Multiaddr) bool {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t, v := g.judgeLocked(p, a, now)
	if v == ration || v == rationLocal {
		return g.spent.take(t, v == rationLocal, g.seenLocked(t, now), now)
	}
	return v == freely
}

// judgeLocked puts the facts together and asks the rule.
func (g *Gate) judgeLocked(p peer.ID, a ma.Multiaddr, now time.Time) (target, ruling) {
	t := targetOf(p, a)
	if slices.ContainsFunc(g.own.Links, func(l netip.Prefix) bool { return broadcasts(t.ip, l) }) {
		t.kind = classNever
	}
	if TransportOf(a) == Relay && t.kind == className {
		// The relay is dialled by the swarm, which resolves the name and asks
		// again.
		return t, freely
	}
	return t, rule(facts{
		kind:    t.kind,
		outside: len(g.own.Public) > 0 || g.own.Outside || now.Sub(g.metOutside) < outsideFor,
		vouched: g.vouchedLocked(t),
		shared:  g.sharedLocked(t.peer, now),
	})
}

// vouchedLocked reports that somebody vouched for the peer at that place, or
// that this node has found it there.
func (g *Gate) vouchedLocked(t target) bool {
	m := t.mark()
	for _, r := range g.vouched {
		if r.has(m) {
			return true
		}
	}
	return g.connected.has(m)
}

// sharedLocked reports that p was seen at a public address of this node's.
func (g *Gate) sharedLocked(p peer.ID, now time.Time) bool {
	for _, ip := range g.own.Public {
		if g.seen.hasSince(mark{peer: p, ip: siteOf(ip)}, now.Add(-seenFor)) {
			return true
		}
	}
	return false
}

// seenLocked reports that somebody saw the peer at that public address.
func (g *Gate) seenLocked(t target, now time.Time) bool {
	return t.kind == classPublic && g.seen.hasSince(mark{peer: t.peer, ip: siteOf(t.ip)}, now.Add(-seenFor))
}

// found reports that this node was connected to p at the address.
func (g *Gate) found(p peer.ID, a ma.Multiaddr) bool {
	t := targetOf(p, a)
	g.mu.Lock()
	defer g.mu.Unlock()
	return t.peer == p && g.connected.has(t.mark())
}

// named returns the voucher of a name at which p is said to be.
func (g *Gate) named(p peer.ID, a ma.Multiaddr) (Voucher, bool) {
	t := targetOf(p, a)
	if t.kind != className {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return ByPerson, g.vouched[ByPerson].has(t.mark())
}

// guessed reports that a is dialled only because p seems to be a neighbour.
func (g *Gate) guessed(p peer.ID, a ma.Multiaddr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, v := g.judgeLocked(p, a, time.Now())
	return v == rationLocal
}

// refusal says in words why a is not dialled; of what the gate would not
// refuse now it says that in general.
func (g *Gate) refusal(p peer.ID, a ma.Multiaddr) error {
	if g.shut.Load() {
		return errClosed()
	}
	now := time.Now()
	g.mu.Lock()
	t, v := g.judgeLocked(p, a, now)
	room := g.spent.room(t, v == rationLocal, g.seenLocked(t, now), now)
	g.mu.Unlock()
	switch {
	case v == refuse:
		return t.refused()
	case v != freely && !room:
		return wire.Errorf(wire.Busy, "not tried: too many addresses at %s, or of this peer, were named and did not answer lately",
			t.where()).
			WithNext("wait %s, or name that node by a ticket or an address with --join", 2*budgetTime)
	}
	return cause(swarm.ErrGaterDisallowedConnection)
}

// refused says why the rule forbids t.
func (t target) refused() error {
	what, next := "", ""
	switch t.kind {
	case classPrivate, classLocal:
		what = "is a private address named by a stranger"
		next = "join with a ticket of that node, or turn on mDNS if it is on this network"
	case classLoopback:
		what = "is on this machine, and named by a stranger"
		next = "name it with --join if the node runs here"
	case classCloud:
		what = "answers for the cloud that a machine runs in, and is named by a stranger"
	case className:
		what = "is a name that was not resolved"
	default:
		what = "is not the address of one node"
	}
	err := wire.Errorf(wire.Forbidden, "%s %s: not tried", t.where(), what)
	if next != "" {
		err = err.WithNext("%s", next)
	}
	return err
}

// where is the place in words.
func (t target) where() string {
	if t.ip.IsValid() {
		return t.ip.String()
	}
	if t.name != "" {
		return t.name
	}
	return "it"
}
