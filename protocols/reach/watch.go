package reach

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Watch tells of better paths that serve w, of which Peer, Transport and
// AllowRelay count: at once the best there is, if any, and from then on each
// that beats the one told before (a direct one beats a relayed one, any beats one
// that has died). So who has a relayed path hears of the first direct one, and
// who would rather have another transport watches for that one beside. The
// channel holds the latest alone, so nobody is waited for; it is closed when ctx
// ends or the Reach is closed. A path may have died by the time it is read.
//
// A Watch costs less than 1 KiB and no goroutine. What happens to one peer
// touches the watches of that peer alone; whoever has many links to it shares
// one.
func (r *Reach) Watch(ctx context.Context, w Want) <-chan Path {
	sub := r.watch(w.Peer, func(p Path) bool { return w.admits(p.Transport()) })
	context.AfterFunc(ctx, func() { r.watches.drop(w.Peer, sub) })
	return sub.news
}

// watch begins a subscription to paths that fit. It ends with watches.drop.
func (r *Reach) watch(p peer.ID, fits func(Path) bool) *watch {
	w := &watch{fits: fits, news: make(chan Path, 1), lost: make(chan struct{}, 1)}
	r.watches.mu.Lock()
	defer r.watches.mu.Unlock()
	if r.watches.closed {
		close(w.news)
		return w
	}
	if r.watches.of == nil {
		r.watches.of = make(map[peer.ID]map[*watch]bool)
	}
	if r.watches.of[p] == nil {
		r.watches.of[p] = make(map[*watch]bool)
	}
	r.watches.of[p][w] = true
	w.look(r.Paths(p))
	return w
}

// tell has the watches of p look again. The swarm calls it.
func (r *Reach) tell(p peer.ID) {
	r.watches.mu.Lock()
	defer r.watches.mu.Unlock()
	of := r.watches.of[p]
	if len(of) == 0 {
		return
	}
	paths := r.Paths(p)
	for w := range of {
		w.look(paths)
	}
}

// watches are the subscriptions. The swarm's books are read under mu; nothing
// else may be locked there.
type watches struct {
	mu     sync.Mutex
	closed bool
	of     map[peer.ID]map[*watch]bool
}

// watch is one subscription, guarded by watches.mu.
type watch struct {
	fits func(Path) bool // fixed
	news chan Path       // of capacity one: what was not read is replaced
	lost chan struct{}   // of capacity one: what was told is dead, and nothing fits in its place
	told Path            // last
}

// look puts the first of paths that fits, which are in the order of Paths, into
// the channel if it beats what was told. It tells the loss when none fits.
func (w *watch) look(paths []Path) {
	for _, p := range paths {
		if !w.fits(p) {
			continue
		}
		if p == w.told || !w.told.IsZero() && w.told.Live() && !p.better(w.told) {
			return
		}
		w.told = p
		select {
		case <-w.news:
		default:
		}
		w.news <- p
		return
	}
	if !w.told.IsZero() {
		w.told = Path{}
		select {
		case w.lost <- struct{}{}:
		default:
		}
	}
}

// drop ends a subscription; ending it again does nothing.
func (ws *watches) drop(p peer.ID, w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !ws.of[p][w] {
		return
	}
	close(w.news)
	if delete(ws.of[p], w); len(ws.of[p]) == 0 {
		delete(ws.of, p)
	}
}

// close ends all subscriptions, and those to come.
func (ws *watches) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	for _, of := range ws.of {
		for w := range of {
			close(w.news)
		}
	}
	ws.of = nil
}
