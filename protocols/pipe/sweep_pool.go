package pipe

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// voice is whoever names servers: one server, or all of one public network.
// While there is room a sweep takes in whom anybody names. When there is none,
// who has named the most makes room for who has named fewer, so that a flood of
// servers that do not exist shuts out none that do.
type voice struct {
	named []*sweptServer // some are proven or forgotten meanwhile
	count int            // of those that are not
}

// addServers takes in servers that this node knows at first hand.
func (m *sweep) addServers(infos []peer.AddrInfo) {
	for _, in := range infos {
		if in.ID == m.self {
			continue
		}
		s := m.servers[in.ID]
		if s == nil {
			m.admit(in, nil)
			continue
		}
		m.learn(s, in.Addrs)
		m.vouch(s)
	}
}

// hear takes in servers that another has named.
func (m *sweep) hear(from *sweptServer, infos []peer.AddrInfo) {
	v := m.voiceOf(from)
	for _, in := range infos {
		switch s := m.servers[in.ID]; {
		case in.ID == m.self:
		case s != nil:
			m.learn(s, in.Addrs)
		case m.hearsay < m.sweepLimits.servers || m.makeRoom(v):
			m.admit(in, v)
		}
	}
}

func (m *sweep) voiceOf(s *sweptServer) *voice {
	name := s.where.Network()
	if name == "" {
		name = "node " + string(s.id)
	}
	v := m.voices[name]
	if v == nil {
		v = new(voice)
		m.voices[name] = v
	}
	return v
}

// admit makes a server known that a voice has named, nil for none, and makes it
// a candidate for every record.
func (m *sweep) admit(in peer.AddrInfo, by *voice) {
	s := &sweptServer{id: in.ID, place: wire.Place([]byte(in.ID)), addrs: slices.Clone(in.Addrs), by: by}
	s.where.Tell(in.Addrs)
	m.servers[in.ID] = s
	if by == nil {
		m.vouch(s)
	} else {
		by.named = append(by.named, s)
		by.count++
		m.hearsay++
	}
	for _, r := range m.records {
		m.place(r, s)
	}
}

// vouch notes that a server is known at first hand.
func (m *sweep) vouch(s *sweptServer) {
	m.unname(s)
	if s.proven = true; m.networkOf != nil {
		s.where.See(m.networkOf(s.id))
	}
}

// makeRoom forgets a server that another voice has named, if that has named
// more than v: the one that is farthest from every record.
func (m *sweep) makeRoom(v *voice) bool {
	loudest := v
	for _, o := range m.voices {
		if o.count > loudest.count {
			loudest = o
		}
	}
	if loudest.count <= v.count+1 {
		return false
	}
	var farthest *sweptServer
	var dist wire.Key
	for _, s := range loudest.named {
		if s.by != loudest || s.out != nil {
			continue
		}
		if d := m.nearestKey(s.place); farthest == nil || bytes.Compare(d[:], dist[:]) > 0 {
			farthest, dist = s, d
		}
	}
	if farthest != nil {
		m.forget(farthest)
	}
	return farthest != nil
}

// nearestKey is about how far a place is from the nearest of all keys: a
// neighbour in their order has the longest prefix in common.
func (m *sweep) nearestKey(place wire.Key) wire.Key {
	at, _ := slices.BinarySearchFunc(m.records, place, func(r *sweptRecord, k wire.Key) int { return bytes.Compare(r.key[:], k[:]) })
	var least wire.Key
	for i, r := range m.records[max(0, at-1):min(at+1, len(m.records))] {
		if d := r.key.XOR(place); i == 0 || bytes.Compare(d[:], least[:]) < 0 {
			least = d
		}
	}
	return least
}

// forget drops a server that has not been asked.
func (m *sweep) forget(s *sweptServer) {
	m.unname(s)
	delete(m.servers, s.id)
	for _, r := range m.records {
		r.withdraw(s)
	}
}

// unname takes a server from the voice that has named it.
func (m *sweep) unname(s *sweptServer) {
	if s.by == nil {
		return
	}
	m.hearsay--
	s.by.count--
	if v := s.by; len(v.named) > 2*v.count+MaxCloser {
		v.named = slices.DeleteFunc(v.named, func(o *sweptServer) bool { return o.by != v || o == s })
	}
	s.by = nil
}
