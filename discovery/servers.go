package discovery

import (
	"bytes"
	"slices"
	"sync"
	"time"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// servers is the set of connected servers, and who of them keeps silent. The
// routing table has room for 20 in a bucket; this set has every connection.
type servers struct {
	mu        sync.Mutex
	connected map[peer.ID][32]byte  // to the node's place in the key space
	suspects  map[peer.ID]time.Time // until when
}

func newServers() *servers {
	return &servers{connected: make(map[peer.ID][32]byte), suspects: make(map[peer.ID]time.Time)}
}

// set puts p in or takes it out, and reports whether that changed anything.
func (s *servers) set(p peer.ID, in bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was := s.connected[p]
	switch {
	case in && !was:
		s.connected[p] = wire.Place([]byte(p))
	case !in:
		delete(s.connected, p)
	}
	return was != in
}

func (s *servers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connected)
}

func (s *servers) has(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.connected[p]
	return ok
}

// places returns a copy of the set.
func (s *servers) places() map[peer.ID][32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[peer.ID][32]byte, len(s.connected))
	for p, at := range s.connected {
		out[p] = at
	}
	return out
}

// suspect notes that p did not answer.
func (s *servers) suspect(p peer.ID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q, until := range s.suspects {
		if now.After(until) {
			delete(s.suspects, q)
		}
	}
	if len(s.suspects) < maxKnown {
		s.suspects[p] = now.Add(suspectFor)
	}
}

// clear takes suspicion from p: it has been heard.
func (s *servers) clear(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.suspects, p)
}

func (s *servers) suspected(p peer.ID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.suspects[p]
	return ok && now.Before(until)
}

// serves reports that p is connected and speaks the overlay's kad protocol in
// server mode, as far as identify has told.
func (d *Discovery) serves(p peer.ID) bool {
	return d.cfg.Host.Network().Connectedness(p) == network.Connected &&
		reach.Speaks(d.cfg.Host, p, d.kadID)
}

// live reports that p can be asked without a dial and is not known to keep
// silent.
func (d *Discovery) live(p peer.ID) bool {
	return d.cfg.Host.Network().Connectedness(p) == network.Connected &&
		!d.servers.suspected(p, time.Now())
}

// placed is a server and its distance from a key.
type placed struct {
	id   peer.ID
	dist [32]byte
}

// nearest returns up to n known servers, nearest to key first: those connected
// and those in the routing table.
func (d *Discovery) nearest(key wire.Key, n int, except ...peer.ID) []placed {
	all := d.servers.places()
	for _, p := range d.kad.RoutingTable().NearestPeers(kb.ID(key[:]), n+len(except)) {
		if _, ok := all[p]; !ok {
			all[p] = wire.Place([]byte(p))
		}
	}
	for _, p := range except {
		delete(all, p)
	}
	delete(all, d.self)
	out := make([]placed, 0, len(all))
	for p, at := range all {
		out = append(out, placed{p, key.XOR(at)})
	}
	slices.SortFunc(out, func(a, b placed) int { return bytes.Compare(a.dist[:], b.dist[:]) })
	return out
}

// Closer returns up to n known servers with addresses, nearest to key first,
// without this node and without except: what an answer tells others. Of one
// public network more than reach.PerNetwork are told, last, only for want of others.
func (d *Discovery) Closer(key wire.Key, n int, except ...peer.ID) []peer.AddrInfo {
	out, more := make([]peer.AddrInfo, 0, n), []peer.AddrInfo(nil)
	crowd := make(reach.Crowd)
	now := time.Now()
	for _, p := range d.nearest(key, n, except...) {
		if len(out) == n {
			break
		}
		if d.servers.suspected(p.id, now) {
			continue
		}
		addrs := d.addrs(p.id)
		if len(addrs) == 0 {
			continue
		}
		if crowd.Full(d.Network(p.id)) {
			more = append(more, peer.AddrInfo{ID: p.id, Addrs: addrs})
			continue
		}
		out = append(out, peer.AddrInfo{ID: p.id, Addrs: addrs})
	}
	return append(out, more[:min(len(more), n-len(out))]...)
}

// addrs returns the known addresses of p that are fit to be told.
func (d *Discovery) addrs(p peer.ID) []ma.Multiaddr {
	return cleanAddrs(p, bestAddrs(d.cfg.Host.Peerstore().Addrs(p)))
}

// CloserThanSelf counts the live servers known that are nearer to key than
// this node: those connected, and those that answered a routing query within
// the last refresh period. Of one public network few count.
func (d *Discovery) CloserThanSelf(key wire.Key) int {
	own := Distance(key, d.self)
	now := time.Now()
	all := d.servers.places()
	for _, in := range d.kad.RoutingTable().GetPeerInfos() {
		if now.Sub(in.LastSuccessfulOutboundQueryAt) > d.cfg.RefreshPeriod {
			continue
		}
		if _, ok := all[in.Id]; !ok {
			all[in.Id] = wire.Place([]byte(in.Id))
		}
	}
	n := 0
	crowd := make(reach.Crowd)
	for p, at := range all {
		if !nearer(key.XOR(at), own) || d.servers.suspected(p, now) {
			continue
		}
		if !crowd.Full(d.Network(p)) {
			n++
		}
	}
	return n
}
