package pipe

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// mostLost is how often a dial goes to a binder again that was lost before it
// answered: its path may have been dead for long, and the binder is well.
const mostLost = 2

// pick chooses the binder to go to, and counts the channel. Without one, wait is
// closed when it is time to look again, or err says why nobody is waited for.
func (d *keptDial) pick() (b *keptBinder, f candidate, p reach.Path, wait <-chan struct{}, err error) {
	k := d.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil {
		return nil, f, p, nil, errClosed()
	}
	if b, p = d.bestLocked(); b != nil {
		b.channels++
		d.at, d.secure = b, k.adv.Type == TypeSecure
		return b, candidate{Found: b.found, raw: b.raw}, p, nil, nil
	}
	if d.pendingLocked() || d.resolvingLocked() {
		return nil, f, p, k.changed, nil
	}
	return nil, f, p, nil, d.failureLocked()
}

// bestLocked is the binder to go to: the first that has not just refused, or, to
// spread, of two of them the one with fewer channels. It is nil if none can be
// dialled now.
func (d *keptDial) bestLocked() (best *keptBinder, path reach.Path) {
	all := d.k.binders
	first, now := 0, time.Now()
	if d.k.o.Spread && len(all) > 1 {
		first = rand.IntN(len(all))
	}
	shunned := false // best was
	looked := 0
	for i := range all {
		b := all[(first+i)%len(all)]
		if slices.Contains(d.over, b) {
			continue
		}
		p, ok := b.usableLocked()
		if !ok || slices.Contains(d.failed, p) {
			continue
		}
		shun := now.Before(b.shunned)
		switch {
		case best == nil || shunned && !shun, shun == shunned && d.k.o.Spread && b.channels < best.channels:
			best, path, shunned = b, p, shun
		}
		if !shun {
			looked++
		}
		if looked == 2 || looked == 1 && !d.k.o.Spread {
			break
		}
	}
	return best, path
}

// pendingLocked reports that a binder may be there soon. It has those tried again
// that are down, unless that was just done. One that does not let this node in is
// asked anew for every dial: it may have changed its mind, and tells nobody.
func (d *keptDial) pendingLocked() (any bool) {
	for _, b := range d.k.binders {
		if slices.Contains(d.over, b) {
			continue
		}
		tries, seen := d.seen[b]
		switch {
		case b.up || b.tries == 0:
			any = true
		case seen:
			any = any || b.tries == tries
		case time.Since(b.fellAt) >= leastRound, wire.CodeOf(b.err) == wire.Forbidden:
			if d.seen == nil {
				d.seen = make(map[*keptBinder]uint64)
			}
			d.seen[b] = b.tries
			b.want()
			any = true
		}
	}
	return any
}

// resolvingLocked reports that a round of resolving is to be waited for. It wants
// one, unless the last has just ended, or binders have spoken that serve the
// pipe: what they say holds.
func (d *keptDial) resolvingLocked() bool {
	k := d.k
	if d.why != nil && !d.doubt {
		return false
	}
	if d.round == 0 {
		if d.why == nil && k.rounds > 0 && time.Since(k.ended) < leastRound {
			return false
		}
		d.round = k.rounds + 1
		k.asked = true
		k.look()
	}
	return k.rounds < d.round
}

// failureLocked is why there is nobody to go to.
func (d *keptDial) failureLocked() error {
	if d.why != nil {
		return d.why
	}
	for _, b := range d.k.binders {
		if b.err != nil {
			return b.err
		}
	}
	return d.k.errNoBinder()
}

// refused notes that a binder did not accept. One that has answered is not asked
// again; one that was lost is, on another path.
func (d *keptDial) refused(call *call, why error) {
	k := d.k
	k.mu.Lock()
	b := d.at
	d.leaveLocked()
	d.why = why
	code := wire.CodeOf(why)
	switch {
	case b == nil: // whoever dialled has let the connection go meanwhile
		k.mu.Unlock()
		return
	case why == error(errRaw):
		b.raw = true
	case !call.answered && code != wire.Timeout && d.lost < mostLost:
		d.lost++
		if p := call.carrier.path; !p.IsZero() && !p.Live() {
			d.failed = append(d.failed, p)
		}
	default:
		b.shunned = time.Now().Add(shunTime)
		d.over = append(d.over, b)
	}
	left := code == wire.Unbound || code == wire.Moved || code == wire.Replaced || code == wire.Closed || code == wire.Gone
	d.doubt = d.doubt || left || code == wire.Busy || !call.answered
	k.mu.Unlock()
	if left {
		b.want()
		k.ask()
	}
}

// prefer puts the binder that has accepted in front, where that counts.
func (d *keptDial) prefer() {
	k := d.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.Index(k.binders, d.at); i > 0 && !k.o.Spread {
		copy(k.binders[1:i+1], k.binders[:i])
		k.binders[0] = d.at
	}
}

// leave takes the channel off the binder's books.
func (d *keptDial) leave() {
	d.k.mu.Lock()
	defer d.k.mu.Unlock()
	d.leaveLocked()
}

func (d *keptDial) leaveLocked() {
	if d.at != nil {
		d.at.channels--
		d.at = nil
	}
}
