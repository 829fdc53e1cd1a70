package pipe

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	retryRenewal = 30 * time.Second // the first pause after a renewal that could not be made
	mostJitter   = 0.05             // of a life, by which a renewal comes before half of it
	togetherWith = 4                // what is due within this part of its life is renewed with what is due
)

// jitter keeps nodes that were started together from renewing together. It is
// drawn once for all that is renewed together, so that it stays together.
func jitter() float64 { return mostJitter * rand.Float64() }

// renewals signs and publishes what is due, until the end: everything that is
// due at about the same time in one sweep, one binding alone by a walk.
func (s *Service) renewals(ctx context.Context) {
	var moves damper // of this node's addresses
	changed := s.cfg.AddrsChanged
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.renewing:
		case _, ok := <-changed:
			if !ok {
				changed = nil
			}
		}
		timer.Reset(s.renewDue(ctx, &moves))
	}
}

// wakeRenewals lets the renewals look at what is due.
func (s *Service) wakeRenewals() {
	select {
	case s.renewing <- struct{}{}:
	default:
	}
}

// renewDue renews what is due, and returns when to look again.
func (s *Service) renewDue(ctx context.Context, moves *damper) time.Duration {
	all := s.Listeners()
	now := time.Now()
	addrs := s.cfg.Endpoints()
	turns := make([]turn, len(all))
	for i, l := range all {
		turns[i] = l.turn(addrs)
	}
	group, next := dueTogether(turns, now, moves.next(now))
	renewed := make([]*Listener, len(group))
	for i, g := range group {
		renewed[i] = all[g]
	}
	if slices.ContainsFunc(group, func(g int) bool { return turns[g].moved }) {
		moves.fire(now)
	}
	s.renewTogether(ctx, renewed)
	return time.Until(next)
}

// turn is what decides when a binding is renewed.
type turn struct {
	due   time.Time     // zero: not at all
	life  time.Duration // of the binding
	moved bool          // its endpoints are not this node's any more
}

// idleRenewals is how long renewals rest when nothing is due.
const idleRenewals = time.Hour

// dueTogether decides which bindings are renewed now, and when to decide
// again. What has moved is due from movesAt on. It has no clock.
func dueTogether(turns []turn, now, movesAt time.Time) (group []int, next time.Time) {
	next = now.Add(idleRenewals)
	at := func(t turn) time.Time {
		if t.moved && movesAt.Before(t.due) {
			return movesAt
		}
		return t.due
	}
	anything := slices.ContainsFunc(turns, func(t turn) bool { return !t.due.IsZero() && !at(t).After(now) })
	for i, t := range turns {
		switch {
		case t.due.IsZero():
		case !at(t).After(now), anything && t.due.Sub(now) <= t.life/togetherWith:
			group = append(group, i)
		case at(t).Before(next):
			next = at(t)
		}
	}
	if len(group) > 0 {
		next = now // what was renewed has a new turn
	}
	return group, next
}

// renewTogether signs and publishes the next record of each listener.
func (s *Service) renewTogether(ctx context.Context, all []*Listener) {
	most := publishTime
	if len(all) > 1 {
		most = sweepTime
	}
	early := jitter()
	var publications []*publication
	for _, l := range all {
		if r, ok := l.renewal(ctx, early); ok {
			p := s.newPublication(ctx, r, most)
			p.heard = &l.heard
			l.hand(p)
			publications = append(publications, p)
		}
	}
	if len(publications) == 1 {
		p := publications[0]
		p.walk(func(messages int, err error) {
			s.cfg.Tracer.Trace(Event{
				Kind: EventRenew, Code: wire.CodeOf(err), Took: time.Since(p.begun), Records: 1, Messages: messages,
			})
		})
		return
	}
	s.publishAll(publications, defaultSweepLimits(), EventRenew, sweepTime)
}

// turn tells when the listener is to be renewed, given this node's addresses.
func (l *Listener) turn(addrs []ma.Multiaddr) turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.kept {
		return turn{}
	}
	return turn{due: l.due, life: l.life, moved: !sameAddrs(l.endpoints(addrs), l.binding.Endpoints)}
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x ma.Multiaddr) bool { return !slices.ContainsFunc(b, x.Equal) })
}

// renewal signs the next record. What may pass is tried again until the
// listener is over; without the right to bind it ends.
func (l *Listener) renewal(ctx context.Context, early float64) (Record, bool) {
	l.mu.Lock()
	term, atLeast := l.binding.Term, l.atLeast
	l.mu.Unlock()
	r, err := l.sign(ctx, term, atLeast, false)
	code := wire.CodeOf(err)
	l.mu.Lock()
	l.due = l.dueAfter(time.Now(), early)
	if err != nil {
		l.due = time.Now().Add(retryRenewal)
	}
	l.mu.Unlock()
	switch code {
	case wire.OK:
		return r, true
	case wire.Expired, wire.Forbidden:
		l.end(err)
	case wire.Closed:
	default:
		l.s.cfg.Log.Warn("binding could not be renewed", "pipe", l.pipe, "error", err)
	}
	return Record{}, false
}

// dueAfter is when a record signed at that time is followed by the next: at
// half of its life, a little earlier by chance, or with the capability's end if
// that comes first.
func (l *Listener) dueAfter(signed time.Time, early float64) time.Time {
	due := signed.Add(l.life/2 - time.Duration(early*float64(l.life)))
	if l.capability != nil && l.grant.Expiry.Before(due) {
		return l.grant.Expiry
	}
	return due
}

// dueLocked makes a renewal come no later than at.
func (l *Listener) dueLocked(at time.Time) {
	if l.kept && at.Before(l.due) {
		l.due = at
		l.s.wakeRenewals()
	}
}

// renewNow asks for a new record without waiting for half of its life.
func (l *Listener) renewNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dueLocked(time.Now())
}

// hand gives the listener's watch the next publication, in place of one that it
// has not taken yet.
func (l *Listener) hand(p *publication) {
	select {
	case old := <-l.next:
		old.stop()
	default:
	}
	l.next <- p // only renewals send here, one after the other
	if isClosed(l.over) {
		p.stop()
	}
}

// lookAround stores early what its holders have left, or what they hold beyond
// a crowd of newcomers: records of which the 20 nodes now known near the key
// hold fewer than enoughCopies, while so many did.
func (s *Service) lookAround() {
	for _, l := range s.Listeners() {
		near := s.cfg.Router.Closer(l.pipe.Key(), Replication)
		l.mu.Lock()
		holding := l.copiesLocked(near)
		if l.near == 0 {
			l.near = holding
		}
		if l.near >= enoughCopies && holding < enoughCopies && time.Since(l.signed) >= l.life/8 {
			l.dueLocked(time.Now())
		}
		l.mu.Unlock()
	}
}

// copiesLocked counts the copies at nodes near the key that make the record
// safe, as the last publication has left them.
func (l *Listener) copiesLocked(near []peer.AddrInfo) int {
	p := progress{key: l.pipe.Key(), networkOf: l.s.network}
	p.saw(false, near...)
	for _, n := range near {
		p.set(n.ID, l.asked[n.ID])
	}
	_, close := p.copies(true)
	return close
}

// network is the public network that a node is in. This node itself counts
// wherever it is.
func (s *Service) network(id peer.ID) string {
	if id == s.cfg.Self {
		return ""
	}
	return s.cfg.Router.Network(id)
}
