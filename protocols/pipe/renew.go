package pipe

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sign makes the next record and stores its numbers before anybody sees it.
// seq is at least atLeast, above all earlier ones, and not below Unix
// milliseconds, so that a lost store does not lock the binder out.
func (l *Listener) sign(ctx context.Context, term, atLeast uint64, withdrawn bool) (Record, error) {
	now := time.Now()
	b := Binding{
		Pipe: l.pipe, Advertisement: l.advertisement, Binder: l.s.cfg.principal(),
		Issued: now, Life: l.life, Capability: l.capability, Term: term, Withdrawn: withdrawn,
	}
	if l.owns() {
		log, err := l.deviceLog()
		if err != nil {
			return Record{}, err
		}
		b.Proof = log.Bytes()
	}
	if !withdrawn {
		b.Endpoints = l.endpoints(l.s.cfg.Endpoints())
		if len(b.Endpoints) == 0 && len(l.advertisement.Transports) > 0 && !l.relayedOnly {
			return Record{}, wire.Errorf(wire.Unsupported, "this node is on none of the transports of pipe %s, %v", l.pipe, l.advertisement.Transports).
				WithNext("listen on one of them: panpipe up --listen ADDR")
		}
	}
	err := l.s.updateState(ctx, l.pipe, func(st *BindState) error {
		if !withdrawn && (l.losing.Load() || isClosed(l.over)) {
			return wire.Errorf(wire.Closed, "pipe %s is not served any more", l.pipe)
		}
		seq := max(st.Seq+1, uint64(now.UnixMilli()), atLeast)
		if seq > MaxNumber {
			return wire.LimitError("seq of the records of pipe "+l.pipe.String(), MaxNumber, "").WithNext("make a new pipe")
		}
		st.Seq = seq
		st.Term = max(st.Term, term)
		if !withdrawn {
			st.Successor = nil
		}
		b.Seq = st.Seq
		return nil
	})
	if err != nil {
		return Record{}, err
	}
	envelope, b, err := b.sign(l.s.cfg.Key, l.s.logs.read)
	if err != nil {
		return Record{}, err
	}
	if err := b.InTime(now); err != nil {
		return Record{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.binding, l.envelope, l.signed = b, envelope, now
	return Record{Binding: &b, Envelope: envelope}, nil
}

// updateState changes what is stored about this node's numbers on a pipe,
// unless change fails.
func (s *Service) updateState(ctx context.Context, id ID, change func(*BindState) error) error {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	st, err := s.cfg.Store.State(ctx, id)
	if err != nil {
		return err
	}
	if err := change(&st); err != nil {
		return err
	}
	return s.cfg.Store.SaveState(ctx, id, st)
}

// keep watches publications until the listener is over. The Service's renewals
// make the next one when it is due.
func (l *Listener) keep(ctx context.Context, p *publication) {
	for p != nil {
		p = l.watch(ctx, p)
	}
	select {
	case next := <-l.next:
		next.stop()
	default:
	}
}

// watch follows one publication until there is the next, which it returns; nil
// when the listener is over.
func (l *Listener) watch(ctx context.Context, p *publication) *publication {
	defer p.stop()
	over, blocked := p.over, p.blocked
	for {
		select {
		case <-over:
			over = nil
			l.published(p)
		case <-blocked:
			blocked = nil
			if !l.contested(ctx, p.obstacle()) {
				return nil
			}
		case next := <-l.next:
			return next
		case <-l.over:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// stands notes that the binding is done, and to be renewed from now on.
func (l *Listener) stands() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept, l.due = true, l.upToDateLocked(l.dueAfter(l.signed, jitter()))
	l.s.wakeRenewals()
}

// standing reports that the binding was done, and is not being lost already.
func (l *Listener) standing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept && !l.losing.Load()
}

// published takes in how a publication ended. One that nobody has heard is
// repeated, after pauses that grow.
func (l *Listener) published(p *publication) {
	unheard := p.unheard()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders, l.asked, l.near = p.copies(), p.outcome(), 0
	if !unheard {
		l.retry = 0
		return
	}
	l.retry = min(max(2*l.retry, retryRenewal), max(l.life/4, retryRenewal))
	l.dueLocked(time.Now().Add(l.retry))
}

// contested judges what a holder shows against a standing binding: a newer
// record of this node's own is passed by, another binder's ends the listener.
// It reports whether the listener goes on.
func (l *Listener) contested(ctx context.Context, o *obstacle) bool {
	own := o.binding.Binder == l.s.cfg.principal()
	if !own && l.beatenBy(o.binding, time.Now()) && l.giveWay(ctx, o.binding, o.envelope) {
		return false
	}
	// Else it was revoked or has ended since. Two nodes with one key would pass
	// each other by for ever, and faster than anybody could follow.
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if own {
		l.atLeast = max(l.atLeast, o.binding.Seq+1)
	}
	at := l.contests.next(now)
	l.contests.fire(at)
	if at.After(now) {
		at = at.Add(rand.N(l.contests.pause)) // or they would go on in step
	}
	l.dueLocked(at)
	return true
}

// withdraw lets the holders know that this node serves the pipe no more.
func (l *Listener) withdraw(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	r, ok := l.tombstone(ctx)
	if !ok {
		return
	}
	p := l.s.publish(ctx, r, false)
	defer p.stop()
	select {
	case <-p.over:
	case <-ctx.Done():
		p.stop()
		<-p.over
	}
}

// tombstone signs the record that ends the listener's binding.
func (l *Listener) tombstone(ctx context.Context) (Record, bool) {
	last := l.Status().Binding
	if last.Seq == 0 {
		return Record{}, false // nobody has seen it bound
	}
	r, err := l.sign(ctx, last.Term, 0, true)
	if err != nil {
		l.s.cfg.Log.Warn("binding could not be withdrawn", "pipe", l.pipe, "error", err)
		return Record{}, false
	}
	l.s.learn(time.Now(), Found{
		Binding: *r.Binding, Envelope: r.Envelope, From: l.s.cfg.Self, Origin: OriginCached, received: time.Now(),
	})
	return r, true
}

// endpoints are those of this node's addresses that go into a record.
func (l *Listener) endpoints(addrs []ma.Multiaddr) []ma.Multiaddr {
	if l.relayedOnly {
		addrs = slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !isRelayed(a) })
	}
	return pickEndpoints(addrs, l.advertisement)
}

// pickEndpoints chooses what goes into a binding: allowed by the pipe, without
// peer ID, each once; of too many, each transport gets its share.
func pickEndpoints(addrs []ma.Multiaddr, adv Advertisement) []ma.Multiaddr {
	byTransport := make(map[reach.Transport][]ma.Multiaddr)
	var order []reach.Transport
	for _, a := range addrs {
		t := reach.TransportOf(a)
		if t == reach.Any || !adv.Allows(t) || len(a.Bytes()) > MaxEndpoint || a[len(a)-1].Code() == ma.P_P2P ||
			slices.ContainsFunc(byTransport[t], a.Equal) {
			continue
		}
		if byTransport[t] == nil {
			order = append(order, t)
		}
		byTransport[t] = append(byTransport[t], a)
	}
	var out []ma.Multiaddr
	for i := 0; len(out) < MaxEndpoints; i++ {
		before := len(out)
		for _, t := range order {
			if i < len(byTransport[t]) && len(out) < MaxEndpoints {
				out = append(out, byTransport[t][i])
			}
		}
		if len(out) == before {
			break
		}
	}
	return out
}
