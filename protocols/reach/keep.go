package reach

import (
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Hold keeps the connection manager from closing connections to p for being
// the least useful, as long as something depends on them. After a Disturbance
// they are looked after first. release ends that; it may be called more than
// once. Holds add up.
func (r *Reach) Hold(p peer.ID) (release func()) { return r.keep(p, nil) }

// Keep is a Hold for what lasts: beside it, a direct path to w.Peer is sought
// whenever there are relayed ones alone, whichever side dialled them, as
// Improve does and until release. Watch tells of it. Nothing is dialled while
// there is no path at all, nor for a want that requires a transport: Path is
// what makes paths. Of several wants for one peer it is the latest that gives
// the addresses.
func (r *Reach) Keep(w Want) (release func()) {
	release = r.keep(w.Peer, &w)
	r.tend(w.Peer)
	return release
}

func (r *Reach) keep(p peer.ID, w *Want) (release func()) {
	manager := r.cfg.Host.ConnManager()
	k := r.keeps.add(p, w)
	tag := "panpipe-hold-" + strconv.FormatUint(k.number, 10)
	manager.Protect(p, tag)
	return sync.OnceFunc(func() {
		manager.Unprotect(p, tag)
		r.keeps.drop(p, k)
		r.wakeUnkept(p)
	})
}

// tend begins to improve the paths to p if there is something to improve and
// somebody who cares.
func (r *Reach) tend(p peer.ID) {
	if _, cares := r.keeps.want(p); !cares {
		return
	}
	if paths := r.Paths(p); len(paths) > 0 && !paths[0].Direct() {
		r.improveFor(p, false)
	}
}

// keeps are the peers that something of this node depends on.
type keeps struct {
	mu    sync.Mutex
	count uint64 // so far; numbers them
	of    map[peer.ID]map[*kept]bool
}

// kept is one reason to keep a peer.
type kept struct {
	number uint64
	want   *Want // how it is to be reached; nil for a bare Hold
}

func (ks *keeps) add(p peer.ID, w *Want) *kept {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.of == nil {
		ks.of = make(map[peer.ID]map[*kept]bool)
	}
	if ks.of[p] == nil {
		ks.of[p] = make(map[*kept]bool)
	}
	ks.count++
	k := &kept{ks.count, w}
	ks.of[p][k] = true
	return k
}

func (ks *keeps) drop(p peer.ID, k *kept) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if delete(ks.of[p], k); len(ks.of[p]) == 0 {
		delete(ks.of, p)
	}
}

// want is the latest want for p that any direct path serves.
func (ks *keeps) want(p peer.ID) (Want, bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	var latest kept
	for k := range ks.of[p] {
		if k.want != nil && k.want.Transport == Any && k.number > latest.number {
			latest = *k
		}
	}
	if latest.want == nil {
		return Want{}, false
	}
	return *latest.want, true
}

// peers lists those kept, in no order.
func (ks *keeps) peers() []peer.ID {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return slices.Collect(maps.Keys(ks.of))
}
