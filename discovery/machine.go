package discovery

import (
	"slices"
	"sort"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// limits of one walk. Times are durations since the walk began.
type limits struct {
	alpha      int           // asks that hold a slot at once
	k          int           // width of the window: the nearest that must have spoken
	maxAsked   int           // nodes asked in the whole walk
	maxKnown   int           // candidates kept
	askTimeout time.Duration // for one ask
}

// defaultLimits are those of the specification in the package comment.
func defaultLimits(askTimeout time.Duration) limits {
	return limits{alpha: Alpha, k: K, maxAsked: maxAsked, maxKnown: maxKnown, askTimeout: askTimeout}
}

// phase is where a candidate stands. It only moves forward, except that a
// failed one becomes known again, once, when its connection was closed under
// the ask or somebody tells a new address.
//
//	known ──ask──▶ asked ──answer──▶ answered
//	  ▲              └────failure──▶ failed
//	  └────closed, new address: once───┘
type phase uint8

const (
	phaseKnown phase = iota
	phaseAsked
	phaseAnswered
	phaseFailed
)

// candidate is one node that a walk knows of.
type candidate struct {
	id        peer.ID
	addrs     []ma.Multiaddr
	dist      [32]byte
	phase     phase
	connected bool              // no dial is needed to ask it
	slow      bool              // asked, and has lost its slot
	lost      bool              // asked, and beyond all patience
	retried   bool              // has had its second chance
	hop       int               // nodes that led to it
	where     reach.Whereabouts // seen once it is connected or has answered
	since     time.Duration     // when it was asked
}

// info is what the asker is given.
func (c *candidate) info() peer.AddrInfo {
	return peer.AddrInfo{ID: c.id, Addrs: slices.Clone(c.addrs)}
}

// machine decides whom a walk asks and when it is over. It is pure: no clock,
// no lock, no network. The caller feeds it what happened, with the time since
// the walk began, and does what step says.
type machine struct {
	limits
	self peer.ID
	key  wire.Key
	// networkOf is asked for the network of a node that is connected or has
	// answered; nil means none is known.
	networkOf func(peer.ID) string
	cands     []*candidate // nearest first
	byID      map[peer.ID]*candidate
	asks      int // nodes asked so far
	fails     int // of these, failed

	tookConnected []time.Duration // of answers, sorted
	tookDialled   []time.Duration
}

func newMachine(self peer.ID, key wire.Key, l limits) *machine {
	return &machine{limits: l, self: self, key: key, byID: make(map[peer.ID]*candidate)}
}

// add takes in candidates. infos must have passed sanitise.
func (m *machine) add(infos []peer.AddrInfo, hop int, connected func(peer.ID) bool) {
	for _, in := range infos {
		if in.ID == m.self {
			continue
		}
		if c := m.byID[in.ID]; c != nil {
			m.learn(c, in.Addrs)
			continue
		}
		c := &candidate{id: in.ID, addrs: in.Addrs, dist: Distance(m.key, in.ID), hop: hop, connected: connected(in.ID)}
		c.where.Tell(in.Addrs)
		if c.connected {
			m.locate(c)
		}
		m.insert(c)
	}
}

// insert keeps cands sorted and capped. The farthest gives way, unless it has
// been asked.
func (m *machine) insert(c *candidate) {
	if len(m.cands) >= m.maxKnown {
		last := m.cands[len(m.cands)-1]
		if last.phase != phaseKnown || !nearer(c.dist, last.dist) {
			return
		}
		m.cands = m.cands[:len(m.cands)-1]
		delete(m.byID, last.id)
	}
	i := sort.Search(len(m.cands), func(i int) bool { return nearer(c.dist, m.cands[i].dist) })
	m.cands = slices.Insert(m.cands, i, c)
	m.byID[c.id] = c
}

// learn adds addresses to a candidate. One that has failed gets a second
// chance, so that a liar who is first to name a node cannot hide it behind
// dead addresses.
func (m *machine) learn(c *candidate, addrs []ma.Multiaddr) {
	fresh := false
	for _, a := range addrs {
		if len(c.addrs) >= 2*maxAddrs {
			break
		}
		if !slices.ContainsFunc(c.addrs, a.Equal) {
			c.addrs = append(c.addrs, a)
			fresh = true
		}
	}
	if fresh && c.phase == phaseFailed && !c.retried {
		c.phase, c.retried = phaseKnown, true
	}
	c.where.Tell(addrs)
}

// answered takes in an answer and the nodes it told of.
func (m *machine) answered(id peer.ID, closer []peer.AddrInfo, connected func(peer.ID) bool, now time.Duration) {
	c := m.byID[id]
	if c == nil || c.phase != phaseAsked {
		return
	}
	c.phase = phaseAnswered
	m.locate(c)
	took := &m.tookDialled
	if c.connected {
		took = &m.tookConnected
	}
	i, _ := slices.BinarySearch(*took, now-c.since)
	*took = slices.Insert(*took, i, now-c.since)
	m.add(sanitise(closer, m.self), c.hop+1, connected)
}

// failedAsk takes in that a node could not be asked or did not answer well.
// closed says that this was because its connection is gone: then it is asked
// once more, by a dial. A connection manager closes what it likes.
func (m *machine) failedAsk(id peer.ID, closed bool) {
	c := m.byID[id]
	if c == nil || c.phase != phaseAsked {
		return
	}
	if closed && !c.retried {
		c.phase, c.connected, c.retried = phaseKnown, false, true
		m.asks--
		return
	}
	c.phase = phaseFailed
	m.fails++
}

// effects is what step wants done.
type effects struct {
	ask  []peer.AddrInfo // put the question to these, nearest connected first
	wake time.Duration   // call step again then, at the latest; 0 = only when something happens
	done bool            // the walk is over; asks still out are given up
}

// step decides what to do at time now.
func (m *machine) step(now time.Duration) effects {
	m.markSlow(now)
	var e effects
	for {
		c := m.next()
		if c == nil {
			break
		}
		c.phase, c.since, c.slow, c.lost = phaseAsked, now, false, false
		m.asks++
		e.ask = append(e.ask, c.info())
	}
	if e.done = m.over(); !e.done {
		e.wake = m.wake(now)
	}
	return e
}

// window is the k nearest that have not failed and that out does not leave out.
// Of one network more than reach.PerNetwork are in it only for want of others.
func (m *machine) window(out func(*candidate) bool) []*candidate {
	w := make([]*candidate, 0, m.k)
	var more []*candidate
	crowd := make(reach.Crowd)
	for _, c := range m.cands {
		if c.phase == phaseFailed || c.phase == phaseAsked && out(c) {
			continue
		}
		if crowd.Full(c.where.Network()) {
			more = append(more, c)
			continue
		}
		if w = append(w, c); len(w) == m.k {
			return w
		}
	}
	return append(w, more[:min(len(more), m.k-len(w))]...)
}

// locate notes where a candidate is seen to be.
func (m *machine) locate(c *candidate) {
	if m.networkOf != nil {
		c.where.See(m.networkOf(c.id))
	}
}

// over reports that the k nearest have answered or failed. Those that keep
// silent beyond all patience count as failed here; should they answer before
// the end, they count after all.
func (m *machine) over() bool {
	for _, c := range m.window(func(c *candidate) bool { return c.lost }) {
		if c.phase == phaseAsked || c.phase == phaseKnown && m.asks < m.maxAsked {
			return false
		}
	}
	return true
}

// result tells how it went.
func (m *machine) result() WalkResult {
	r := WalkResult{Asked: m.asks, Failed: m.fails}
	for _, c := range m.cands {
		if c.phase != phaseAnswered {
			continue
		}
		if len(r.Closest) == m.k {
			break
		}
		r.Closest = append(r.Closest, c.info())
		r.Hops = max(r.Hops, c.hop)
	}
	return r
}
