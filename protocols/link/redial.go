package link

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

const (
	redialTime  = 10 * time.Second       // of one attempt at most
	redialFirst = 100 * time.Millisecond // the pause after the first attempt, doubled after each
	redialMost  = 5 * time.Second
	redialGap   = 50 * time.Millisecond // between two attempts for a link, whatever came of them
)

// redialing finds a path for all links of one route that have none.
type redialing struct {
	waiting map[*Link]struct{}
	wake    chan struct{} // something has changed: try now
}

// redial has a link taken up again.
func (h *Links) redial(l *Link) {
	l.mu.Lock()
	r := l.route
	l.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.redials[r]; d != nil {
		d.waiting[l] = struct{}{}
		return
	}
	if h.ctx.Err() != nil {
		return
	}
	d := &redialing{waiting: map[*Link]struct{}{l: {}}, wake: make(chan struct{}, 1)}
	h.redials[r] = d
	h.running.Go(func() { h.runRedial(r, d) })
}

// runRedial goes on until no link of the route waits.
func (h *Links) runRedial(r Route, d *redialing) {
	for failures := 0; ; {
		all := h.orphans(r, d)
		if all == nil || !h.pause(d, max(failures, refusals(all)), soonest(all)) {
			return
		}
		ctx, cancel := context.WithTimeout(h.ctx, redialTime)
		path, err := h.path(ctx, r, all)
		if err == nil {
			err = h.adopt(ctx, d, path)
		}
		cancel()
		if failures++; err == nil {
			failures = 0
		}
	}
}

// pause waits before the next attempt, the longer the more have failed, and
// least at least; it is false at the end of everything.
func (h *Links) pause(d *redialing, failures int, least time.Duration) bool {
	if failures == 0 && least <= 0 {
		return h.ctx.Err() == nil
	}
	if failures > 0 {
		most := min(redialFirst<<min(failures-1, 10), redialMost)
		least = most/2 + rand.N(most/2)
	}
	select {
	case <-time.After(least):
	case <-d.wake:
	case <-h.ctx.Done():
		return false
	}
	return true
}

// path finds a path for links that wait: where they were, or where the far end
// of the first has gone.
func (h *Links) path(ctx context.Context, r Route, all []*Link) (reach.Path, error) {
	for _, l := range all {
		if p, err := h.follow(ctx, l); err == nil {
			return p, nil
		}
	}
	return h.cfg.Redial(ctx, r)
}

// refusals is how often the far side refused a leg of late: the least of all
// these links.
func refusals(all []*Link) int {
	least := math.MaxInt
	for _, l := range all {
		l.mu.Lock()
		least = min(least, l.m.refusals)
		l.mu.Unlock()
	}
	return least
}

// soonest is how long it takes until one of these links may be taken up again.
// A far side that drops every leg as it comes has no more legs than that.
func soonest(all []*Link) time.Duration {
	least := redialGap
	for _, l := range all {
		l.mu.Lock()
		least = min(least, redialGap-time.Since(l.redialled))
		l.mu.Unlock()
	}
	return least
}

// orphans lists the links that wait; with none left the route is done.
func (h *Links) orphans(r Route, d *redialing) (all []*Link) {
	h.mu.Lock()
	for l := range d.waiting {
		all = append(all, l)
	}
	h.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		l := all[i]
		l.mu.Lock()
		needs := l.m.needsLeg()
		l.mu.Unlock()
		if !needs {
			h.mu.Lock()
			delete(d.waiting, l)
			h.mu.Unlock()
			all[i] = all[len(all)-1]
			all = all[:len(all)-1]
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(d.waiting) == 0 {
		delete(h.redials, r)
		return nil
	}
	return all
}

// adopt gives every link that waits a leg on the path.
func (h *Links) adopt(ctx context.Context, d *redialing, p reach.Path) (err error) {
	h.mu.Lock()
	all := make([]*Link, 0, len(d.waiting))
	for l := range d.waiting {
		all = append(all, l)
	}
	clear(d.waiting)
	h.mu.Unlock()
	for _, l := range all {
		l.mu.Lock()
		needs := l.m.needsLeg()
		l.redialled = time.Now()
		l.mu.Unlock()
		if !needs {
			continue
		}
		if failed := l.attach(ctx, p, attachOptions{why: WhyLost}); failed != nil {
			err = failed
			h.mu.Lock()
			d.waiting[l] = struct{}{}
			h.mu.Unlock()
		}
	}
	return err
}

// Retry has every link that waits for a path to one of these peers, or to any if
// none is named, try at once: the network has changed.
func (h *Links) Retry(peers ...peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r, d := range h.redials {
		if len(peers) > 0 && !slices.Contains(peers, r.Peer) {
			continue
		}
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// AddressChanged says that this node's own address has, by which it may lose
// paths without a word to the far sides: of links that lose their leg in the next
// 30 s this node makes another one, even if the far side has opened them. Those
// that wait try at once.
func (h *Links) AddressChanged() {
	now := time.Now()
	for _, l := range h.all() {
		l.mu.Lock()
		l.m.addressChanged(now)
		l.unlock(false)
	}
	h.Retry()
}

// Offer moves the links to the path's peer that are on a worse one, and may use
// this one, without a pause. Those that change legs just now follow after.
func (h *Links) Offer(ctx context.Context, p reach.Path) {
	for _, l := range h.all() {
		l.mu.Lock()
		if l.far == p.Peer() && l.m.over == nil && l.fitsLocked(p) {
			l.offered = p
		}
		better := l.betterLocked()
		l.mu.Unlock()
		if !better.IsZero() {
			l.improve(ctx, better)
		}
	}
}

// improve moves the link to a better path.
func (l *Link) improve(ctx context.Context, p reach.Path) {
	_ = l.attach(ctx, p, attachOptions{why: WhyBetter, planned: true}) // else it stays where it is
}

// betterLocked is the path that was offered, once: as soon as the link can tell
// whether it would gain by it, and if it would. Else it is zero.
func (l *Link) betterLocked() (p reach.Path) {
	m := l.m
	if l.offered.IsZero() || m.over != nil || m.cur == nil || m.ask != nil || m.cur.asking || m.frozen {
		return p
	}
	if l.offered.Direct() && !m.cur.carrier.(*attachment).leg.Path().Direct() {
		p = l.offered
	}
	l.offered = reach.Path{}
	return p
}
