package pipe

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Caps of the revocations that a node remembers for its own use: it learns
// those of pipes that it resolves, binds or owns.
const (
	maxRevokedPipes   = 4096
	maxRevokedPerPipe = 256
)

// revokedSet keeps the revocations that this node has verified or signed.
type revokedSet struct {
	mu   sync.Mutex
	byID map[ID][]revocation
}

type revocation struct {
	nonce    identity.Nonce
	expiry   time.Time // of the capability; of no use Skew after it
	envelope []byte
}

func newRevokedSet() *revokedSet { return &revokedSet{byID: make(map[ID][]revocation)} }

// add takes a verified revocation in, and reports whether it is new.
func (r *revokedSet) add(id ID, nonce identity.Nonce, expiry time.Time, envelope []byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(expiry.Add(Skew)) || r.findLocked(id, nonce) != nil {
		return false
	}
	if _, ok := r.byID[id]; !ok && len(r.byID) >= maxRevokedPipes {
		return false
	}
	if len(r.byID[id]) >= maxRevokedPerPipe {
		return false
	}
	r.byID[id] = append(r.byID[id], revocation{nonce, expiry, envelope})
	return true
}

func (r *revokedSet) findLocked(id ID, nonce identity.Nonce) *revocation {
	for i, have := range r.byID[id] {
		if have.nonce == nonce {
			return &r.byID[id][i]
		}
	}
	return nil
}

// has reports whether the capability with this nonce is revoked.
func (r *revokedSet) has(id ID, nonce identity.Nonce) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.findLocked(id, nonce) != nil
}

// voids reports whether a binding rests on a revoked capability.
func (r *revokedSet) voids(b Binding) bool {
	grant, ok := b.Grant()
	return ok && r.has(b.Pipe, grant.Nonce)
}

// knows reports whether exactly this envelope is kept, so that it need not be
// verified again.
func (r *revokedSet) knows(id ID, envelope []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.byID[id], func(have revocation) bool { return bytes.Equal(have.envelope, envelope) })
}

// of returns the envelopes kept for a pipe.
func (r *revokedSet) of(id ID) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out [][]byte
	for _, have := range r.byID[id] {
		out = append(out, have.envelope)
	}
	return out
}

// sweep forgets what is of no use any more.
func (r *revokedSet) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, all := range r.byID {
		all = slices.DeleteFunc(all, func(have revocation) bool { return !now.Before(have.expiry.Add(Skew)) })
		if len(all) == 0 {
			delete(r.byID, id)
		} else {
			r.byID[id] = all
		}
	}
}
