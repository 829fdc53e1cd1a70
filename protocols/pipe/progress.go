package pipe

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// enoughCopies is how many of the closest nodes must have a record before a
// bind is done, if there are so many.
const enoughCopies = 5

// progress tells how far a record has come: which nodes are known near its key
// and what each did with it. It is pure, and not locked.
type progress struct {
	key wire.Key
	// networkOf is asked for the public network of a node that is known at first
	// hand; nil means none is known.
	networkOf func(peer.ID) string
	nodes     []copyAt // nearest first
}

type copyAt struct {
	id       peer.ID
	distance wire.Key
	state    copyState
	hearsay  bool // named by another alone, and never heard
	where    reach.Whereabouts
}

type copyState uint8

const (
	notAsked copyState = iota
	stored
	refused // says that it is no holder of this key, or will not take the record
	silent  // did not answer
)

// saw adds nodes that exist, or are said to.
func (p *progress) saw(hearsay bool, nodes ...peer.AddrInfo) {
	for _, in := range nodes {
		n := p.find(in.ID)
		if n == nil {
			n = p.insert(copyAt{id: in.ID, distance: p.key.Distance([]byte(in.ID)), hearsay: hearsay})
		}
		n.where.Tell(in.Addrs)
		if n.hearsay = n.hearsay && hearsay; !hearsay && p.networkOf != nil {
			n.where.See(p.networkOf(in.ID))
		}
	}
}

func (p *progress) insert(n copyAt) *copyAt {
	at, _ := slices.BinarySearchFunc(p.nodes, n, func(a, b copyAt) int {
		return bytes.Compare(a.distance[:], b.distance[:])
	})
	p.nodes = slices.Insert(p.nodes, at, n)
	return &p.nodes[at]
}

// set notes what a node that was asked did.
func (p *progress) set(id peer.ID, state copyState) {
	p.saw(false, peer.AddrInfo{ID: id})
	p.find(id).state = state
}

func (p *progress) find(id peer.ID) *copyAt {
	for i := range p.nodes {
		if p.nodes[i].id == id {
			return &p.nodes[i]
		}
	}
	return nil
}

// copies counts the nodes that have the record, and those that make it safe.
func (p *progress) copies(believe bool) (all, close int) {
	for _, n := range p.nodes {
		if n.state == stored {
			all++
		}
	}
	return all, safe(p.nearest(believe))
}

// nearest are the Replication closest that may hold the record, of one network
// more than reach.PerNetwork only for want of others. Nodes that refused or do
// not answer are no holders, nor are those that others alone have named, unless
// they are believed.
func (p *progress) nearest(believe bool) []*copyAt {
	w := make([]*copyAt, 0, Replication)
	var more []*copyAt
	crowd := make(reach.Crowd)
	for i := range p.nodes {
		n := &p.nodes[i]
		switch {
		case n.state == refused || n.state == silent || n.hearsay && !believe:
		case crowd.Full(n.where.Network()):
			more = append(more, n)
		default:
			if w = append(w, n); len(w) == Replication {
				return w
			}
		}
	}
	return append(w, more[:min(len(more), Replication-len(w))]...)
}

// safe counts the nodes that have the record; of one network no more than
// reach.PerNetwork, as long as a node elsewhere may take it yet.
func safe(nearest []*copyAt) int {
	copies, more := 0, 0
	crowd := make(reach.Crowd)
	for _, n := range nearest {
		switch {
		case n.state != stored:
		case crowd.Full(n.where.Network()):
			more++
		default:
			copies++
		}
	}
	for _, n := range nearest {
		if n.state != stored && !crowd.Full(n.where.Network()) {
			return copies
		}
	}
	return copies + more
}

// held reports whether anybody has the record, and whether somebody other than
// self has.
func (p *progress) held(self peer.ID) (anywhere, elsewhere bool) {
	for _, n := range p.nodes {
		anywhere = anywhere || n.state == stored
		elsewhere = elsewhere || n.state == stored && n.id != self
	}
	return anywhere, elsewhere
}

// others reports whether a node other than self is known.
func (p *progress) others(self peer.ID) bool {
	return slices.ContainsFunc(p.nodes, func(n copyAt) bool { return n.id != self })
}

// anyRefused reports whether a node answered that it will not take the record.
func (p *progress) anyRefused() bool {
	return slices.ContainsFunc(p.nodes, func(n copyAt) bool { return n.state == refused })
}

// enough reports that the record is safe, whatever nodes are still to come.
func (p *progress) enough(believe bool) bool {
	_, close := p.copies(believe)
	return close >= enoughCopies
}
