package pipe

import (
	"bytes"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Caps of the revocations that a node remembers for its own use: it learns
// those of pipes that it resolves, binds or owns.
const (
	maxRevokedBytes   = 8 << 20 // of all, each its envelope and revokedOverhead
	maxRevokedPerPipe = 1024
	revokedOverhead   = 128
)

// revokedSet keeps the revocations that this node has verified or signed.
//
// Those of pipes that this node owns or serves stay; of the others, the pipe
// that was of use longest ago is forgotten whole when there are too many: what
// its holders know, they tell again with every answer. A pipe that has too many
// by itself forgets those that end first, and from then on takes every
// capability for revoked that ends no later than these: it errs on the safe
// side.
type revokedSet struct {
	mu    sync.Mutex
	byID  map[ID]*revokedPipe
	idle  *list.List // of *revokedPipe that may be forgotten, last used first
	bytes int
}

// revokedPipe is what is known of one pipe.
type revokedPipe struct {
	id    ID
	all   []revocation
	floor time.Time     // capabilities that end by then count as revoked; zero: none
	kept  int           // by how many reasons the pipe stays
	place *list.Element // in idle; nil while it stays
}

type revocation struct {
	nonce    identity.Nonce
	expiry   time.Time // of the capability; of no use Skew after it
	envelope []byte
}

func (r revocation) size() int { return len(r.envelope) + revokedOverhead }

func (r revocation) over(now time.Time) bool { return !now.Before(r.expiry.Add(Skew)) }

func newRevokedSet() *revokedSet {
	return &revokedSet{byID: make(map[ID]*revokedPipe), idle: list.New()}
}

// room says whether one more revocation of a pipe that is kept fits: Limit if
// not. Whoever signs one asks before.
func (r *revokedSet) room(id ID, nonce identity.Nonce, size int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	const next = "wait until capabilities that were revoked earlier end, or grant for a shorter time"
	p := r.byID[id]
	switch {
	case p == nil:
	case p.find(nonce) != nil:
		return nil
	case len(p.all) >= maxRevokedPerPipe:
		return wire.LimitError("revocations of one pipe", maxRevokedPerPipe, "").WithNext(next)
	}
	staying := 0
	for _, p := range r.byID {
		if p.kept > 0 {
			staying += p.size()
		}
	}
	if staying+size+revokedOverhead > maxRevokedBytes {
		return wire.LimitError("bytes of revocations of pipes that this node owns or serves", maxRevokedBytes, "").WithNext(next)
	}
	return nil
}

// keep has the revocations of a pipe stay until release is called.
func (r *revokedSet) keep(id ID) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pipeLocked(id)
	if p.kept++; p.place != nil {
		r.idle.Remove(p.place)
		p.place = nil
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if p.kept--; p.kept == 0 {
			p.place = r.idle.PushFront(p)
			r.forgetEmptyLocked(p)
		}
	})
}

func (r *revokedSet) pipeLocked(id ID) *revokedPipe {
	p := r.byID[id]
	if p == nil {
		p = &revokedPipe{id: id}
		p.place = r.idle.PushFront(p)
		r.byID[id] = p
	}
	return p
}

// add takes a verified revocation in. Should there be too many, others give
// way as the type's comment says.
func (r *revokedSet) add(id ID, nonce identity.Nonce, expiry time.Time, envelope []byte, now time.Time) {
	rev := revocation{nonce, expiry, envelope}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pipeLocked(id)
	if r.touchLocked(p); rev.over(now) || p.find(nonce) != nil {
		r.forgetEmptyLocked(p)
		return
	}
	p.all = append(p.all, rev)
	r.bytes += rev.size()
	if len(p.all) > maxRevokedPerPipe {
		r.dropFirstLocked(p)
	}
	for r.bytes > maxRevokedBytes {
		last := r.idle.Back()
		switch {
		case last != nil && last.Value.(*revokedPipe) != p:
			r.forgetLocked(last.Value.(*revokedPipe))
		case len(p.all) > 0:
			r.dropFirstLocked(p)
		default:
			return
		}
	}
}

// dropFirstLocked forgets the revocation of a pipe that ends first.
func (r *revokedSet) dropFirstLocked(p *revokedPipe) {
	first := 0
	for i, have := range p.all {
		if have.expiry.Before(p.all[first].expiry) {
			first = i
		}
	}
	gone := p.all[first]
	if gone.expiry.After(p.floor) {
		p.floor = gone.expiry
	}
	r.bytes -= gone.size()
	p.all = slices.Delete(p.all, first, first+1)
}

func (r *revokedSet) forgetLocked(p *revokedPipe) {
	r.bytes -= p.size()
	delete(r.byID, p.id)
	if p.place != nil {
		r.idle.Remove(p.place)
	}
}

// forgetEmptyLocked forgets a pipe of which there is nothing to know.
func (r *revokedSet) forgetEmptyLocked(p *revokedPipe) {
	if p.kept == 0 && len(p.all) == 0 && p.floor.IsZero() {
		r.forgetLocked(p)
	}
}

func (r *revokedSet) touchLocked(p *revokedPipe) {
	if p.place != nil {
		r.idle.MoveToFront(p.place)
	}
}

func (p *revokedPipe) size() int {
	n := 0
	for _, have := range p.all {
		n += have.size()
	}
	return n
}

func (p *revokedPipe) find(nonce identity.Nonce) *revocation {
	for i, have := range p.all {
		if have.nonce == nonce {
			return &p.all[i]
		}
	}
	return nil
}

// revokes reports whether a capability for a pipe counts as revoked.
func (r *revokedSet) revokes(id ID, c identity.Capability) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.byID[id]
	if p == nil {
		return false
	}
	r.touchLocked(p)
	return p.find(c.Nonce) != nil || !c.Expiry.After(p.floor)
}

// voids reports whether a binding rests on a revoked capability.
func (r *revokedSet) voids(b Binding) bool {
	grant, ok := b.Grant()
	return ok && r.revokes(b.Pipe, grant)
}

// knows reports whether exactly this envelope is kept, so that it need not be
// verified again.
func (r *revokedSet) knows(id ID, envelope []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.byID[id]
	return p != nil && slices.ContainsFunc(p.all, func(have revocation) bool { return bytes.Equal(have.envelope, envelope) })
}

// of returns the envelopes kept for a pipe, the last to end first, as many as
// an answer takes.
func (r *revokedSet) of(id ID) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.byID[id]
	if p == nil {
		return nil
	}
	all := slices.Clone(p.all)
	slices.SortFunc(all, func(a, b revocation) int { return b.expiry.Compare(a.expiry) })
	var out [][]byte
	for _, have := range capped(all, MaxAnswerRecords) {
		out = append(out, have.envelope)
	}
	return out
}

// used is how many bytes are counted.
func (r *revokedSet) used() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// sweep forgets what is of no use any more.
func (r *revokedSet) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.byID {
		before := p.size()
		p.all = slices.DeleteFunc(p.all, func(have revocation) bool { return have.over(now) })
		r.bytes += p.size() - before
		if !now.Before(p.floor) { // such capabilities are over by themselves
			p.floor = time.Time{}
		}
		r.forgetEmptyLocked(p)
	}
}
