package pipe

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// more finds candidates that have not been tried, and reports false when there
// are none. It asks the overlay once, and takes in what it finds as it comes:
// a dial that has not succeeded wants more than three holders' word.
func (d *dialing) more(ctx context.Context) bool {
	if d.pause != nil {
		return false // a later round has resolved afresh already
	}
	if d.o.NoCache {
		if d.resolveErr == nil {
			d.resolveErr = d.resolve(ctx, 0, false)
		}
		return len(d.queue) > 0
	}
	d.searchOn(ctx)
	for {
		over := isClosed(d.search.done)
		d.recall()
		d.gather()
		if len(d.queue) > 0 || over || ctx.Err() != nil {
			return len(d.queue) > 0 && ctx.Err() == nil
		}
		select {
		case <-d.wake:
		case <-d.search.done:
		case <-ctx.Done():
		}
	}
}

// searchOn begins the search, once. After release it does nothing.
func (d *dialing) searchOn(ctx context.Context) {
	if !d.o.NoCache {
		d.searching.Do(func() { d.beginSearch(ctx) })
	}
}

func (d *dialing) beginSearch(ctx context.Context) {
	d.wake = make(chan struct{}, 1)
	d.unwatch = d.s.cache.onChange(d.id, func() {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	})
	o := ResolveOptions{Transport: d.o.Transport, Binders: d.o.Binders}
	p := d.s.plan(d.id, o)
	p.patient, p.wide = true, d.o.probe
	d.search = d.s.start(ctx, d.id, wants(d.id, o.Transport, o.binders()), p)
}

// recall puts what this node has learned by other ways into the queue. Of an
// exclusive pipe each is one more time that it has moved: binders who name each
// other without end would be followed without end.
func (d *dialing) recall() {
	r := d.s.cache.resolution(d.id, time.Now())
	if r == nil {
		return
	}
	for _, f := range d.ordered(r.Bindings) {
		if !d.usable(f) || d.tried[string(f.Envelope)] {
			continue
		}
		if d.advertisement.Binders == Exclusive {
			if d.hops >= maxHops {
				return
			}
			d.hops++
		}
		d.enqueue(f)
	}
}

// gather puts what the search has found into the queue.
func (d *dialing) gather() {
	r, err := d.search.outcome(d.o.Transport)
	d.resolveErr = err
	if err == nil {
		d.advertisement = r.Advertisement
		d.enqueue(d.ordered(r.Bindings)...)
	}
}

// again begins another round, after a pause or at news of the pipe: it resolves
// the pipe afresh. It is false when there is no time left, or the failure is
// one that no binder who comes later would cure.
func (d *dialing) again(ctx context.Context) bool {
	for ctx.Err() == nil && time.Now().Before(d.until) && curable(d.failure(nil)) {
		if !d.rest(ctx) {
			return false
		}
		clear(d.tried)
		d.hops = 0
		attempts := d.attempts
		d.attempts = nil
		if d.resolveErr = d.resolve(ctx, max(0, time.Until(d.until)), true); d.resolveErr == nil {
			return true
		}
		d.attempts = attempts
	}
	return false
}

// rest pauses between rounds. It is false when the time to wait is over.
func (d *dialing) rest(ctx context.Context) bool {
	if d.pause == nil {
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval, pause.MaxInterval = firstPause, longestPause
		d.pause = pause
	}
	news := make(chan struct{}, 1)
	stop := d.s.cache.onChange(d.id, func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	defer stop()
	left := time.Until(d.until)
	pause := time.NewTimer(min(d.pause.NextBackOff(), left))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-news:
		unhurried(ctx, &d.woken)
	case <-ctx.Done():
	}
	return ctx.Err() == nil && time.Now().Before(d.until)
}

// curable are the failures of a dial that a binder who comes later would cure.
func curable(err error) bool {
	switch wire.CodeOf(err) {
	case wire.Unbound, wire.Moved, wire.Replaced, wire.Unreachable, wire.Closed, wire.Gone, wire.Timeout:
		return true
	}
	return false
}

// release ends the search.
func (d *dialing) release() {
	d.searching.Do(func() {})
	if d.search != nil {
		d.unwatch()
		d.search.stop()
	}
}

func (d *dialing) ordered(all []Found) []Found {
	return order(all, d.s.cache.preferred(d.id), d.o.Spread)
}

// order puts the preferred binder first, or all in random order.
func order(all []Found, preferred identity.Principal, spread bool) []Found {
	out := slices.Clone(all)
	if spread {
		rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	slices.SortStableFunc(out, func(a, b Found) int {
		switch preferred {
		case a.Binding.Binder:
			return -1
		case b.Binding.Binder:
			return 1
		}
		return 0
	})
	return out
}

// superseded reports that newer records say that f's binder serves no more, or
// elsewhere: a dial to f is in vain.
func (d *dialing) superseded(f Found) bool {
	k := d.s.cache.records(d.id)
	live := k.live(time.Now())
	i := slices.IndexFunc(live, func(now Found) bool { return now.Binding.Binder == f.Binding.Binder })
	if i < 0 {
		return true
	}
	if live[i].Binding.Seq <= f.Binding.Seq {
		return false
	}
	return !slices.EqualFunc(live[i].Binding.Endpoints, f.Binding.Endpoints, equalAddrs)
}
