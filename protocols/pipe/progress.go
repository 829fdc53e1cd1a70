package pipe

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// enoughCopies is how many of the closest nodes must have a record before a
// bind is done, if there are so many.
const enoughCopies = 5

// progress tells how far a record has come: which nodes are known near its key
// and what each did with it. It is pure, and not locked.
type progress struct {
	key   wire.Key
	nodes []copyAt // nearest first
}

type copyAt struct {
	id       peer.ID
	distance wire.Key
	state    copyState
	hearsay  bool // named by another alone, and never heard
}

type copyState uint8

const (
	notAsked copyState = iota
	stored
	refused // says that it is no holder of this key, or will not take the record
	silent  // did not answer
)

// saw adds nodes that exist, or are said to.
func (p *progress) saw(hearsay bool, ids ...peer.ID) {
	for _, id := range ids {
		if n := p.find(id); n != nil {
			n.hearsay = n.hearsay && hearsay
			continue
		}
		n := copyAt{id: id, distance: p.key.Distance([]byte(id)), hearsay: hearsay}
		at, _ := slices.BinarySearchFunc(p.nodes, n, func(a, b copyAt) int {
			return bytes.Compare(a.distance[:], b.distance[:])
		})
		p.nodes = slices.Insert(p.nodes, at, n)
	}
}

func (p *progress) set(id peer.ID, state copyState) {
	p.saw(false, id)
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

// copies counts the nodes that have the record, and those of the Replication
// closest that do. Nodes that refused or do not answer are no holders, nor are
// those that others alone have named, unless they are believed.
func (p *progress) copies(believe bool) (all, close int) {
	rank := 0
	for _, n := range p.nodes {
		if n.state == refused || n.state == silent || n.hearsay && !believe {
			continue
		}
		rank++
		if n.state == stored {
			all++
			if rank <= Replication {
				close++
			}
		}
	}
	return all, close
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
