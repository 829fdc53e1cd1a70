package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// Rounds of resolving begin so far apart, whoever wants them.
	leastRound = time.Second
	// While there is nobody to dial, one comes after a pause that rises to this.
	longestRound = 15 * time.Second
	// While there is, others are looked for so often: a pipe with many binders
	// gets new ones, which no binder tells of.
	refreshMany      = time.Minute
	refreshExclusive = 5 * time.Minute
)

// run keeps the list of binders, until the Keeper is closed.
func (k *Keeper) run() {
	defer k.drop(func(*keptBinder) bool { return true })
	defer k.s.cache.onChange(k.id, k.look)()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = leastRound, longestRound
	var begun time.Time
	due := time.NewTimer(0)
	defer due.Stop()
	for k.ctx.Err() == nil {
		if k.wants(begun) {
			begun = time.Now()
			k.round()
		} else {
			k.adopt()
		}
		next := k.untilNext(begun, pause)
		due.Reset(next)
		select {
		case <-k.wake:
		case <-due.C:
			k.mu.Lock()
			k.asked = true
			k.mu.Unlock()
		case <-k.ctx.Done():
		}
	}
}

// wants reports that a round is wanted, and may begin.
func (k *Keeper) wants(begun time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked && time.Since(begun) >= leastRound
}

// untilNext is how long to wait for the next round, if nothing happens.
func (k *Keeper) untilNext(begun time.Time, pause *backoff.ExponentialBackOff) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked {
		return max(0, time.Until(begun.Add(leastRound)))
	}
	if !slices.ContainsFunc(k.binders, func(b *keptBinder) bool { return b.up }) {
		return pause.NextBackOff()
	}
	pause.Reset()
	if k.adv.Binders == Exclusive {
		return refreshExclusive
	}
	return refreshMany
}

// round asks the overlay who serves the pipe.
func (k *Keeper) round() {
	k.mu.Lock()
	k.asked = false
	first := k.rounds == 0
	k.mu.Unlock()
	_, err := k.s.Resolve(k.ctx, k.id, ResolveOptions{Transport: k.o.Transport, Fresh: !first})
	k.adopt()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rounds++
	k.ended, k.err = time.Now(), err
	if err == nil {
		k.found = k.ended
	}
	if len(k.binders) > 0 {
		k.err = nil // there is somebody to try, whatever the overlay knows
	}
	k.changeLocked()
}

// adopt makes the binders those of the records at hand.
func (k *Keeper) adopt() {
	var live []Found
	if r := k.s.atHand(k.id, ResolveOptions{Transport: k.o.Transport}); r != nil {
		live = r.Bindings
	}
	for _, f := range live {
		k.take(f)
	}
	if len(live) > 0 {
		over := k.over()
		k.drop(func(b *keptBinder) bool {
			if slices.ContainsFunc(live, func(f Found) bool { return f.Binding.Binder == b.who }) {
				return false
			}
			return b.found.Binding.Advertisement.Binders == Exclusive || !b.up || over[b.who]
		})
		return
	}
	k.drop(func(b *keptBinder) bool { return !b.up })
}

// over are the binders that have withdrawn.
func (k *Keeper) over() map[identity.Principal]bool {
	all := make(map[identity.Principal]bool)
	known := k.s.cache.records(k.id)
	for _, f := range known.records {
		all[f.Binding.Binder] = f.Binding.Withdrawn
	}
	return all
}

// take adds a binder, or learns the newer record of one.
func (k *Keeper) take(f Found) {
	to, ok := f.Binding.Binder.Peer()
	if !ok || k.ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.IndexFunc(k.binders, func(b *keptBinder) bool { return b.who == f.Binding.Binder }); i >= 0 {
		k.binders[i].found = f
		return
	}
	if k.adv.Type == 0 {
		k.adv = f.Binding.Advertisement
		k.way = wayOf(k.id, k.adv, k.dialOptions())
	}
	ctx, cancel := context.WithCancel(k.ctx)
	b := &keptBinder{
		k: k, who: f.Binding.Binder, peer: to, cancel: cancel, found: f,
		retry: make(chan struct{}, 1), err: wire.Errorf(wire.NotReady, "binder %s is being connected to", f.Binding.Binder),
	}
	k.binders = append(k.binders, b)
	k.running.Go(func() { b.run(ctx) })
	k.changeLocked()
}

// drop lets binders go. When none is left, nobody serves the pipe until a round
// has found somebody.
func (k *Keeper) drop(which func(*keptBinder) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := len(k.binders)
	k.binders = slices.DeleteFunc(k.binders, func(b *keptBinder) bool {
		if which(b) {
			b.cancel()
			return true
		}
		return false
	})
	if len(k.binders) != before {
		if len(k.binders) == 0 {
			k.asked, k.err = true, wire.Errorf(wire.Unbound, "nobody serves pipe %s any more", k.id).
				WithNext("see that the node that served it runs, and serves it still (panpipe gateway ls, panpipe pipe ls there)")
		}
		k.changeLocked()
	}
}

// dialOptions are those of the Keeper's dials.
func (k *Keeper) dialOptions() DialOptions {
	return DialOptions{
		Transport: k.o.Transport, Capability: k.o.Capability, PathPolicy: k.o.PathPolicy, Raw: k.o.Raw, Grace: k.o.Grace,
	}
}
