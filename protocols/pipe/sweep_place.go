package pipe

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sweptPlace is what became of one record at one server.
type sweptPlace struct {
	*sweptServer
	record *sweptRecord
	dist   wire.Key
	state  sweptState
}

type sweptState uint8

const (
	sweptUnsent sweptState = iota
	sweptUnderWay
	sweptHeld
	sweptDeclined
	sweptNotClose // declined, since it knows k that are closer
)

// place makes a server a candidate for a record, unless it is one.
func (m *sweep) place(r *sweptRecord, s *sweptServer) {
	if s.failed {
		return
	}
	dist := r.key.XOR(s.place)
	if r.unsent >= m.known && !s.proven && r.beyond(dist) {
		r.cut = true // it would give way at once
		return
	}
	at, is := r.search(dist)
	if is {
		return
	}
	r.places = slices.Insert(r.places, at, &sweptPlace{sweptServer: s, record: r, dist: dist})
	if r.unsent++; r.unsent > m.known {
		if out := r.dispensable(m.k); out >= 0 {
			r.drop(out)
			r.cut = true
		}
	}
}

// withdraw takes out a server, unless it has been asked.
func (r *sweptRecord) withdraw(s *sweptServer) {
	if i, is := r.search(r.key.XOR(s.place)); is && r.places[i].state == sweptUnsent {
		r.drop(i)
	}
}

// drop takes out a candidate that has not been asked.
func (r *sweptRecord) drop(i int) {
	r.places = slices.Delete(r.places, i, i+1)
	r.unsent--
}

// dispensable finds which of too many candidates that have not been asked gives
// way, -1 for none: the farthest, but none of the k nearest that are known at
// first hand, so that nobody drives out who is really there.
func (r *sweptRecord) dispensable(k int) int {
	proven, out := 0, -1
	for i, p := range r.places {
		if p.proven {
			proven++
		}
		if p.state == sweptUnsent && (!p.proven || proven > k) {
			out = i
		}
	}
	return out
}

// refill gives the candidates that had given way another chance, when there is
// room for them again.
func (m *sweep) refill(r *sweptRecord) {
	r.cut = false
	for _, s := range m.servers {
		m.place(r, s)
	}
}

// at finds a server among the candidates.
func (r *sweptRecord) at(s *sweptServer) *sweptPlace {
	if i, is := r.search(r.key.XOR(s.place)); is {
		return r.places[i]
	}
	return nil
}

// beyond reports that a distance is greater than that of every candidate.
func (r *sweptRecord) beyond(dist wire.Key) bool {
	n := len(r.places)
	return n == 0 || bytes.Compare(dist[:], r.places[n-1].dist[:]) > 0
}

// search finds where a server at that distance is among the candidates, or
// belongs.
func (r *sweptRecord) search(dist wire.Key) (at int, is bool) {
	return slices.BinarySearchFunc(r.places, dist, func(p *sweptPlace, d wire.Key) int { return bytes.Compare(p.dist[:], d[:]) })
}

// become notes what has become of the record there.
func (p *sweptPlace) become(s sweptState) {
	if p.state == sweptUnsent {
		p.record.unsent--
	}
	if p.state = s; s == sweptUnsent {
		p.record.unsent++
	}
}

// counts reports that the server may be one of the k that hold the record.
// One that is slow to answer makes place for another meanwhile.
func (p *sweptPlace) counts() bool {
	return !p.failed && p.state < sweptDeclined && (p.out == nil || !p.out.slow)
}

// window yields the k nearest that may hold the record, of one network more
// than reach.PerNetwork only for want of others. Beyond a server that knows k that are
// closer nobody takes it, unless that one is mistaken: with this node itself,
// k-1 known ones are as many.
func (m *sweep) window(r *sweptRecord) []*sweptPlace {
	w := make([]*sweptPlace, 0, m.k)
	var more []*sweptPlace
	nearer, crowd := 0, make(reach.Crowd)
	for _, p := range r.places {
		if p.state == sweptNotClose && nearer >= m.k-1 {
			break
		}
		if p.failed {
			continue
		}
		crowded := crowd.Full(p.where.Network())
		if !crowded {
			nearer++
		}
		switch {
		case !p.counts():
		case crowded:
			more = append(more, p)
		default:
			if w = append(w, p); len(w) == m.k {
				return w
			}
		}
	}
	return append(w, more[:min(len(more), m.k-len(w))]...)
}

// nearest are the servers that have the record, or are to have it. Their
// addresses are the machine's own.
func (m *sweep) nearest(id int) []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, p := range m.window(m.byID[id]) {
		out = append(out, peer.AddrInfo{ID: p.id, Addrs: p.addrs})
	}
	return out
}
