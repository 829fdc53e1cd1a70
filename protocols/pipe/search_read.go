package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// read takes in what an answer proves, and drops the rest.
func (x *search) read(from peer.ID, a Answer) {
	x.s.readRevocations(x.id, a.Revocations)
	if a.Advertisement != nil {
		x.readAdvertisement(a.Advertisement)
	}
	spoken, hostile := false, 0
	for _, r := range a.Records {
		if hostile == maxHostile {
			break
		}
		f, err := x.prove(from, r)
		if err != nil {
			x.s.hostile(err)
			hostile++
			continue
		}
		if x.take(f) && r.Origin != OriginCached {
			spoken = true
		}
	}
	if spoken {
		x.heard(from)
	}
}

// heard counts a holder, and ends the search when enough have spoken.
func (x *search) heard(from peer.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.holders[from] = true
	if len(x.holders) >= enoughHolders && x.has && !x.patient {
		x.stop()
	}
}

// take adds a proven record. It reports whether the record is one that counts,
// be it known already, and closes found at the first live binding.
func (x *search) take(f Found) bool {
	now := time.Now()
	if x.s.voids(f.Binding) {
		x.s.outlives(f.Binding, now)
		return false
	}
	x.mu.Lock()
	x.forgetLocked()
	if who, ok := f.Binding.Binder.Peer(); ok && x.known.doubts(f) {
		if !x.confirmed[who] && who != x.s.cfg.Self && f.Binding.InTime(now) == nil {
			x.confirmed[who] = true
			x.doubted = append(x.doubted, peer.AddrInfo{ID: who, Addrs: f.few()})
		}
		x.mu.Unlock()
		return false
	}
	x.known.add(f)
	x.describeLocked(f.Binding.Advertisement)
	if !x.has && len(offering(x.liveLocked(now), x.query.Transport)) > 0 {
		x.has = true
		x.took = time.Since(x.begun)
		close(x.found)
	}
	x.mu.Unlock()
	x.s.learn(now, f)
	return true
}

// forgetLocked drops what revocations, learned meanwhile, have ended.
func (x *search) forgetLocked() {
	x.known.void(x.s.voids)
	cached := x.s.cache.records(x.id)
	x.known.raise(cached.voided)
}

// doubtful returns whose records need their binder's own word, each once.
func (x *search) doubtful() []peer.AddrInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.doubted
	x.doubted = nil
	return out
}

func (x *search) readAdvertisement(b []byte) {
	a, err := ParseAdvertisement(b)
	if err == nil && a.ID() != x.id {
		err = wire.Errorf(wire.BadRequest, "advertisement of another pipe")
	}
	if err != nil {
		x.s.hostile(err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.describeLocked(a)
}

func (x *search) describeLocked(a Advertisement) {
	if x.advertisement == nil {
		x.advertisement = &a
		close(x.described)
	}
}
