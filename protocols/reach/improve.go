package reach

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxImproving caps the peers to which a better path is sought at a time.
const maxImproving = 64

// Improve seeks a direct path to p beside a relayed one, in the background and
// for as long as there is a relayed one: hole punching has its time, then the
// addresses known are dialled at growing intervals, which begin again with
// another relayed path. What is opened next takes the direct path, and Watch
// tells of it. Path does this by itself where it
// gives a relayed path that was not required. One peer is seen to once at a
// time; beyond 64 peers nothing is done.
func (r *Reach) Improve(p peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.improving[p] || len(r.improving) >= maxImproving {
		return
	}
	r.improving[p] = true
	r.running.Go(func() { r.improve(p) })
}

func (r *Reach) improve(p peer.ID) {
	watch := r.watch(p, func(Path) bool { return true })
	defer r.watches.drop(p, watch)
	for try := 0; !r.improved(p); {
		pause := time.NewTimer(improvePause(try, r.punches()))
		select {
		case <-watch.news: // another path, or the end; if it is relayed, holes are punched anew
			try = 0
		case <-watch.lost:
			try = 0
		case <-pause.C:
			ctx, cancel := context.WithTimeout(r.ctx, r.cfg.DialTimeout)
			_, _ = r.viaSwarm(ctx, Want{Peer: p}) // the watch tells of success, the next try comes else
			cancel()
			try++
		}
		pause.Stop()
	}
}

// improved reports that there is nothing to improve any more: a direct path is
// there, or none. Improve may begin again then.
func (r *Reach) improved(p peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if paths := r.Paths(p); !r.closed && len(paths) > 0 && !paths[0].Direct() {
		return false
	}
	delete(r.improving, p)
	return true
}

// improvePause is how long to wait before a try, counted from zero. A dial
// while holes are punched would spoil them: the swarm answers the second dial
// of an address with how the first one ended.
func improvePause(try int, punched bool) time.Duration {
	switch {
	case try == 0 && !punched:
		return 0
	case try == 0:
		return PunchTime
	}
	return min(5*time.Minute, 15*time.Second<<min(try, 6))
}
