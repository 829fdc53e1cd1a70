package reach

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// takeTime is how long whoever was given a path has to open a stream on it,
// before the path counts as idle.
const takeTime = 500 * time.Millisecond

// lent is what is known of a relayed path that was given to somebody.
type lent struct {
	when   time.Time // last
	ending bool      // closeIdle closes it: nobody is given it any more
}

// take gives out the best path that serves w.
func (r *Reach) take(w Want) (Path, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.takeLocked(w)
}

func (r *Reach) takeLocked(w Want) (Path, bool) {
	for _, p := range r.Paths(w.Peer) {
		if r.lent[p.conn].ending || !w.admits(p.Transport()) || w.PreferDirect && !p.Direct() && p.age() < PreferTime {
			continue
		}
		r.lendLocked(p)
		return p, true
	}
	return Path{}, false
}

// lendLocked notes that somebody is given p.
func (r *Reach) lendLocked(p Path) {
	if !p.Direct() && p.Live() && !r.lent[p.conn].ending {
		r.lent[p.conn] = lent{when: time.Now()}
	}
}

// giveBack forgets a connection that has ended.
func (r *Reach) giveBack(c network.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lent, c)
}

// closeIdle closes relayed connections to p whose hole punching is over and
// that carry nothing: the next one is punched anew. Who has just been given one
// has takeTime to open a stream, which is waited for.
func (r *Reach) closeIdle(ctx context.Context, p peer.ID) {
	for _, path := range r.Paths(p) {
		if path.Direct() {
			continue
		}
		idle, wait := r.idle(path)
		if wait > 0 {
			pause := time.NewTimer(wait)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			pause.Stop()
			idle, _ = r.idle(path)
		}
		if idle {
			_ = path.conn.Close()
		}
	}
}

// idle reports that a relayed path is to be closed, and lets nobody have it from
// then on; or that this shows after some time.
func (r *Reach) idle(p Path) (closes bool, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.age() < PunchTime || len(p.conn.GetStreams()) > 0 || !p.Live() {
		return false, 0
	}
	l := r.lent[p.conn]
	if wait = takeTime - time.Since(l.when); wait > 0 {
		return false, wait
	}
	l.ending = true
	r.lent[p.conn] = l
	return true, 0
}
