package reach

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// maxImproving caps the peers to which a better path is sought at a time.
	maxImproving = 1024

	// maxImproveDials caps how many of these are dialled at a time.
	maxImproveDials = 16
)

// Improve seeks a direct path to p beside a relayed one, in the background and
// for as long as there is a relayed one: hole punching has its time, then the
// addresses known are dialled at growing intervals, which begin again with
// another relayed path, and after a Disturbance. What is opened next takes the
// direct path, and Watch tells of it. Path does this by itself where it gives a
// relayed path that was not required, and Keep wherever there is one. One peer is
// seen to once at a time; beyond 1024 peers nothing is done.
func (r *Reach) Improve(p peer.ID) { r.improveFor(p, true) }

// improver is who seeks a better path to a peer.
type improver struct {
	wake  chan struct{} // to have the next try at once
	asked bool          // by Improve, so that it goes on though nobody keeps the peer
}

func (r *Reach) improveFor(p peer.ID, asked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if im := r.improving[p]; im != nil {
		im.asked = im.asked || asked
		return
	}
	if r.closed || len(r.improving) >= maxImproving {
		return
	}
	im := &improver{make(chan struct{}, 1), asked}
	r.improving[p] = im
	r.running.Go(func() { r.improve(p, im.wake) })
}

func (r *Reach) improve(p peer.ID, wake <-chan struct{}) {
	watch := r.watch(p, func(Path) bool { return true })
	defer r.watches.drop(p, watch)
	for try := 0; !r.improved(p); {
		pause := time.NewTimer(improvePause(try, r.punches()))
		select {
		case <-watch.news: // another path, or the end; if it is relayed, holes are punched anew
			try = 0
		case <-watch.lost:
			try = 0
		case <-wake: // this node's place has changed, or nobody keeps the peer any more
			if r.improved(p) {
				return
			}
			try = 0
			if r.punch(p); !r.tookRelayed(p) {
				r.dialDirect(p) // nobody punches holes anew
				try++
			}
		case <-pause.C:
			r.dialDirect(p)
			try++
		}
		pause.Stop()
	}
}

// dialDirect dials the direct addresses of p that are known, or are those of
// whoever keeps p. The watches tell of success, the next try comes else.
func (r *Reach) dialDirect(p peer.ID) {
	here, cancel := r.here(r.ctx)
	defer cancel()
	select {
	case r.improveDials <- struct{}{}:
		defer func() { <-r.improveDials }()
	case <-here.Done():
		return
	}
	ctx, stop := context.WithTimeout(here, r.cfg.DialTimeout)
	defer stop()
	w := Want{Peer: p}
	if of, ok := r.keeps.want(p); ok {
		w.Addrs, w.Unproven, w.Seen = of.Addrs, of.Unproven, of.Seen
	}
	_, _ = r.viaSwarm(ctx, r.tellGate(ctx, w))
}

// wakeImprovers has every better path sought at once.
func (r *Reach) wakeImprovers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, im := range r.improving {
		signal(im.wake)
	}
}

// wakeUnkept ends seeking a better path to p if it was for who kept p alone.
func (r *Reach) wakeUnkept(p peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if im := r.improving[p]; im != nil && !r.caresLocked(p) {
		signal(im.wake)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// caresLocked reports that somebody wants a better path to p, which is being
// sought.
func (r *Reach) caresLocked(p peer.ID) bool {
	_, cares := r.keeps.want(p)
	return cares || r.improving[p].asked
}

// improved reports that there is nothing to improve any more: a direct path is
// there, or none, or nobody cares. Improve may begin again then.
func (r *Reach) improved(p peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if paths := r.Paths(p); !r.closed && r.caresLocked(p) && len(paths) > 0 && !paths[0].Direct() {
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
