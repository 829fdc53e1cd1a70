package discovery

import (
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// source says why a node is worth dialling. Smaller goes first.
type source uint8

const (
	fromJoin   source = iota // a person named it; tried for ever
	fromLAN                  // mDNS heard it
	fromMemory               // a server of earlier
)

// Caps of the book.
const (
	maxDials       = 16 // at once, fromJoin excepted
	maxMemoryDials = 8  // of these, fromMemory
	maxLAN         = 64 // entries
	maxMemory      = 100
)

// entry is a node that this one may join through.
type entry struct {
	peer.AddrInfo
	from     source
	pause    backoff.BackOff
	next     time.Time // not before
	dialling bool
	fails    int   // attempts in a row that failed
	up       bool  // was connected when last looked at
	err      error // of the last attempt
}

// book decides when which node is dialled to join through. It is pure: time is
// passed in, and the pauses come from newPause.
type book struct {
	newPause func() backoff.BackOff
	entries  map[peer.ID]*entry
	order    []*entry // as added
}

func newBook(newPause func() backoff.BackOff) *book {
	return &book{newPause: newPause, entries: make(map[peer.ID]*entry)}
}

// add takes in a node. New addresses of a known one go before the old ones, and
// make it due at once unless they come from memory.
func (b *book) add(in peer.AddrInfo, from source) {
	e := b.entries[in.ID]
	if e == nil {
		if b.full(from) && !b.evict(from) {
			return
		}
		e = &entry{AddrInfo: peer.AddrInfo{ID: in.ID}, from: from, pause: b.newPause()}
		e.pause.Reset()
		b.entries[in.ID] = e
		b.order = append(b.order, e)
	}
	e.from = min(e.from, from)
	fresh := false
	for _, a := range in.Addrs {
		if !slices.ContainsFunc(e.Addrs, a.Equal) {
			fresh = true
		}
	}
	if !fresh {
		return
	}
	e.Addrs = mergeAddrs(in.Addrs, e.Addrs)
	if from != fromMemory {
		e.next = time.Time{}
	}
}

// evict makes room for a node: the entry of the same kind goes that has failed
// most often, else, since whoever fills the book has few networks, the newest
// of the network with most entries. Who is connected or being dialled stays,
// and what a person named; it is false if nobody can go. Heard or met again,
// who has gone comes back.
func (b *book) evict(from source) bool {
	of := make(map[string]int)
	for _, e := range b.order {
		if e.from == from {
			of[e.network()]++
		}
	}
	var worst *entry
	for _, e := range b.order {
		if e.from != from || e.dialling || e.up {
			continue
		}
		if worst == nil || e.fails > worst.fails || e.fails == worst.fails && of[e.network()] >= of[worst.network()] {
			worst = e
		}
	}
	if worst == nil {
		return false
	}
	delete(b.entries, worst.ID)
	b.order = slices.DeleteFunc(b.order, func(e *entry) bool { return e == worst })
	return true
}

// network is the network that a node's first address is in.
func (e *entry) network() string {
	if len(e.Addrs) == 0 {
		return ""
	}
	return reach.NetworkOf(e.Addrs[0])
}

// full reports that no more entries of this kind are taken without another
// going. What a person named is never refused.
func (b *book) full(from source) bool {
	n := 0
	for _, e := range b.order {
		if e.from == from {
			n++
		}
	}
	return (from == fromLAN && n >= maxLAN) || (from == fromMemory && n >= maxMemory)
}

// due returns the nodes to dial now and the moment to ask again, zero for not
// before something happens. servers is how many are connected.
func (b *book) due(now time.Time, servers int, connected func(peer.ID) bool) (dial []peer.AddrInfo, again time.Time) {
	total, memory := b.dialling()
	for _, from := range []source{fromJoin, fromLAN, fromMemory} {
		for _, e := range b.order {
			if e.from != from || e.dialling {
				continue
			}
			if connected(e.ID) {
				e.up = true
				continue
			}
			b.lost(e.ID, now)
			if servers >= fewServers && from != fromLAN {
				continue
			}
			if e.next.After(now) {
				again = earlier(again, e.next)
				continue
			}
			if from != fromJoin && total >= maxDials || from == fromMemory && memory >= maxMemoryDials {
				continue
			}
			e.dialling = true
			total++
			if from == fromMemory {
				memory++
			}
			dial = append(dial, peer.AddrInfo{ID: e.ID, Addrs: slices.Clone(e.Addrs)})
		}
	}
	return dial, again
}

func (b *book) dialling() (total, memory int) {
	for _, e := range b.order {
		if e.dialling {
			total++
			if e.from == fromMemory {
				memory++
			}
		}
	}
	return total, memory
}

// done takes in how a dial ended. Either way the next one has to wait, so that
// a node that accepts and hangs up is not dialled in a circle.
func (b *book) done(id peer.ID, err error, now time.Time) {
	e := b.entries[id]
	if e == nil {
		return
	}
	e.dialling, e.err, e.up = false, err, err == nil
	if e.fails++; err == nil {
		e.fails = 0
		e.pause.Reset()
	}
	e.next = now.Add(e.pause.NextBackOff())
}

// parted takes in that the connection to a server has ended: it is worth a try
// when too few are left.
func (b *book) parted(in peer.AddrInfo, now time.Time) {
	b.add(in, fromMemory)
	if e := b.entries[in.ID]; e != nil {
		e.up = true
	}
	b.lost(in.ID, now)
}

// lost takes in that id is not connected. If it was, it is dialled again after
// a jittered pause, so that the nodes that a bootstrap node leaves behind do not
// all come back at once.
func (b *book) lost(id peer.ID, now time.Time) {
	e := b.entries[id]
	if e == nil || e.dialling || !e.up {
		return
	}
	e.up = false
	e.pause.Reset()
	if next := now.Add(e.pause.NextBackOff()); next.After(e.next) {
		e.next = next
	}
}

// joins returns the entries that a person named.
func (b *book) joins() []*entry {
	var out []*entry
	for _, e := range b.order {
		if e.from == fromJoin {
			out = append(out, e)
		}
	}
	return out
}

// mergeAddrs puts first before second, each address once, at most 2*maxAddrs.
func mergeAddrs(first, second []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range slices.Concat(first, second) {
		if !slices.ContainsFunc(out, a.Equal) {
			out = append(out, a)
		}
	}
	return out[:min(len(out), 2*maxAddrs)]
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
