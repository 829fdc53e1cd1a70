package discovery

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// memory is the list of servers met, for the next run. It is pure: time is
// passed in.
type memory struct {
	met   map[peer.ID]meeting
	dirty bool // changed since list was called
}

type meeting struct {
	addrs []ma.Multiaddr
	at    time.Time
}

func newMemory() *memory { return &memory{met: make(map[peer.ID]meeting)} }

// load takes in what the last run has left, most recently seen first.
func (m *memory) load(peers []peer.AddrInfo, now time.Time) {
	for i, p := range peers[:min(len(peers), MaxRemembered)] {
		if addrs := cleanAddrs(p.ID, p.Addrs); validID(p.ID) && len(addrs) > 0 {
			m.met[p.ID] = meeting{addrs, now.Add(-time.Duration(i+1) * time.Second)}
		}
	}
}

// touch notes that p is a server, seen now at addrs. Only a new server or new
// addresses make the list worth storing again.
func (m *memory) touch(p peer.ID, addrs []ma.Multiaddr, now time.Time) {
	addrs = cleanAddrs(p, addrs)
	old, ok := m.met[p]
	if len(addrs) == 0 {
		addrs = old.addrs
	}
	if len(addrs) == 0 {
		return
	}
	if !ok || !sameAddrs(old.addrs, addrs) {
		m.dirty = true
	}
	m.met[p] = meeting{addrs, now}
	if len(m.met) > 2*MaxRemembered {
		m.forget()
	}
}

// forget drops a server.
func (m *memory) forget() {
	all := m.sorted()
	delete(m.met, all[least(all)].ID)
}

// least is the place of the server that is worth the least of those sorted by
// when they were seen: of the network with most of them the one seen longest
// ago, so that a flood from one network does not wash out all others.
func least(all []peer.AddrInfo) int {
	first := make([]ma.Multiaddr, len(all))
	for i, p := range all {
		first[i] = p.Addrs[0]
	}
	from := heaviest(first)
	for i := len(all) - 1; ; i-- {
		if reach.NetworkOf(first[i]) == from {
			return i
		}
	}
}

// list returns what is worth storing, most recently seen first.
func (m *memory) list() []peer.AddrInfo {
	m.dirty = false
	out := m.sorted()
	for len(out) > MaxRemembered {
		i := least(out)
		out = slices.Delete(out, i, i+1)
	}
	return out
}

// sorted returns all, most recently seen first.
func (m *memory) sorted() []peer.AddrInfo {
	out := make([]peer.AddrInfo, 0, len(m.met))
	for p, v := range m.met {
		out = append(out, peer.AddrInfo{ID: p, Addrs: v.addrs})
	}
	slices.SortFunc(out, func(a, b peer.AddrInfo) int {
		if c := m.met[b.ID].at.Compare(m.met[a.ID].at); c != 0 {
			return c
		}
		return slices.Compare([]byte(a.ID), []byte(b.ID))
	})
	return out
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, x.Equal) {
			return false
		}
	}
	return true
}
