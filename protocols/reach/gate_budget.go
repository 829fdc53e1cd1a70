package reach

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Caps on what strangers' words make this node dial in vain. A dial that
// succeeds costs nothing, since the node is where it was said to be; neither
// does the same dial again, which the back-off holds back.
const (
	budgetTime   = 5 * time.Minute // after once to twice this a dial is forgotten
	budgetDials  = 4096            // remembered for so long; more make it forget sooner
	portsOfPeer  = 8               // of one address, named for one peer
	placesOfPeer = 16              // addresses named for one peer, unless somebody saw it there
	dialsOfIP    = 64              // (peer, port) pairs of one address: a big NAT, or a victim
	localOfPeer  = 8               // private addresses with port of a neighbour
	localDials   = 32              // of all neighbours
)

// place is a peer at an address.
type place struct {
	peer peer.ID
	ip   netip.Addr
}

// budget counts dials that nobody has answered. It is pure: the time is passed
// in. Two generations make forgetting cheap.
type budget struct {
	now, before generation
	since       time.Time // of now
}

// generation is what was dialled in one span of time.
type generation struct {
	ports  map[place]map[string]bool // dialled; true: as private address of a neighbour
	places map[peer.ID]int           // entries of ports with that peer
	dials  map[netip.Addr]int        // ports of all peers there
	local  map[peer.ID]int           // of these, private ones of a neighbour
	total  int
	locals int
}

func newGeneration() generation {
	return generation{
		ports: make(map[place]map[string]bool), places: make(map[peer.ID]int),
		dials: make(map[netip.Addr]int), local: make(map[peer.ID]int),
	}
}

func newBudget() *budget { return &budget{now: newGeneration(), before: newGeneration()} }

// take spends one dial. It is false when that would be too many. seen lifts the
// cap on places of one peer: somebody saw it there.
func (b *budget) take(t target, local, seen bool, now time.Time) bool {
	if !b.room(t, local, seen, now) {
		return false
	}
	if !b.paid(t) {
		b.now.add(t, local)
	}
	return true
}

// paid reports that this very dial was made lately.
func (b *budget) paid(t target) bool {
	at := place{t.peer, t.ip}
	_, now := b.now.ports[at][t.port]
	_, before := b.before.ports[at][t.port]
	return now || before
}

// room reports whether take would succeed.
func (b *budget) room(t target, local, seen bool, now time.Time) bool {
	b.turn(now)
	if b.paid(t) {
		return true
	}
	at := place{t.peer, t.ip}
	known := len(b.now.ports[at]) + len(b.before.ports[at])
	switch {
	case known >= portsOfPeer,
		b.now.dials[t.ip]+b.before.dials[t.ip] >= dialsOfIP,
		!seen && known == 0 && b.now.places[t.peer]+b.before.places[t.peer] >= placesOfPeer,
		local && b.now.local[t.peer]+b.before.local[t.peer] >= localOfPeer,
		local && b.now.locals+b.before.locals >= localDials:
		return false
	}
	return true
}

// turn begins another generation when the time has come, or there is no room.
func (b *budget) turn(now time.Time) {
	age := now.Sub(b.since)
	switch {
	case age >= 2*budgetTime:
		b.before, b.now, b.since = newGeneration(), newGeneration(), now
	case age >= budgetTime, b.now.total >= budgetDials:
		b.before, b.now, b.since = b.now, newGeneration(), now
	}
}

func (g *generation) add(t target, local bool) {
	at := place{t.peer, t.ip}
	if g.ports[at] == nil {
		g.ports[at] = make(map[string]bool)
		g.places[t.peer]++
	}
	g.ports[at][t.port] = local
	g.dials[t.ip]++
	g.total++
	if local {
		g.local[t.peer]++
		g.locals++
	}
}

// release gives back what was spent on a peer that did answer there.
func (b *budget) release(at place) {
	b.now.release(at)
	b.before.release(at)
}

func (g *generation) release(at place) {
	ports := g.ports[at]
	if ports == nil {
		return
	}
	delete(g.ports, at)
	for _, local := range ports {
		drop(g.dials, at.ip)
		g.total--
		if local {
			drop(g.local, at.peer)
			g.locals--
		}
	}
	drop(g.places, at.peer)
}

// drop lowers a count, and forgets it at zero.
func drop[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}
