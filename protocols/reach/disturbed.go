package reach

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// Disturbed tells of each Disturbance, after Reach has acted on it: paths that
// are dead for sure are closed, the others are being probed. The channel holds
// one: what was not read yet and what comes next are added up. It is closed
// when ctx ends or the Reach is closed.
func (r *Reach) Disturbed(ctx context.Context) <-chan Disturbance {
	told := r.disturbances.add()
	context.AfterFunc(ctx, func() { r.disturbances.drop(told) })
	return told
}

// disturbances are the subscriptions to them.
type disturbances struct {
	mu     sync.Mutex
	closed bool
	subs   map[chan Disturbance]bool // each of capacity one, and written under mu alone
}

func (ds *disturbances) add() chan Disturbance {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	told := make(chan Disturbance, 1)
	if ds.closed {
		close(told)
		return told
	}
	if ds.subs == nil {
		ds.subs = make(map[chan Disturbance]bool)
	}
	ds.subs[told] = true
	return told
}

func (ds *disturbances) tell(d Disturbance) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for told := range ds.subs {
		sum := d
		select {
		case unread := <-told:
			sum = unread.and(d)
		default:
		}
		told <- sum
	}
}

// and is d and then e.
func (d Disturbance) and(e Disturbance) Disturbance {
	gone := slices.Concat(d.Gone, e.Gone)
	slices.SortFunc(gone, netip.Addr.Compare)
	return Disturbance{Slept: d.Slept + e.Slept, Changed: d.Changed || e.Changed, Gone: slices.Compact(gone)}
}

func (ds *disturbances) drop(told chan Disturbance) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.subs[told] {
		delete(ds.subs, told)
		close(told)
	}
}

// close ends all subscriptions, and those to come.
func (ds *disturbances) close() {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.closed = true
	for told := range ds.subs {
		close(told)
	}
	ds.subs = nil
}
