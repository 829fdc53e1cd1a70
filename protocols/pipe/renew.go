package pipe

import (
	"context"
	"slices"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// retryRenewal is how soon a renewal that could not be made is tried again.
const retryRenewal = 30 * time.Second

// sign makes the next record and stores its numbers before anybody sees it.
// seq is at least atLeast, above all earlier ones, and not below Unix
// milliseconds, so that a lost store does not lock the binder out.
func (l *Listener) sign(ctx context.Context, term, atLeast uint64, withdrawn bool) (Record, error) {
	now := time.Now()
	b := Binding{
		Pipe: l.pipe, Advertisement: l.advertisement, Binder: l.s.cfg.principal(),
		Issued: now, Life: l.life, Capability: l.capability, Term: term, Withdrawn: withdrawn,
	}
	if !withdrawn {
		b.Endpoints = pickEndpoints(l.s.cfg.Endpoints(), l.advertisement)
		if len(b.Endpoints) == 0 && len(l.advertisement.Transports) > 0 {
			return Record{}, wire.Errorf(wire.Unsupported, "this node is on none of the transports of pipe %s, %v", l.pipe, l.advertisement.Transports).
				WithNext("listen on one of them: panpipe up --listen ADDR")
		}
	}
	err := l.s.updateState(ctx, l.pipe, func(st *BindState) error {
		if !withdrawn && (l.losing.Load() || isClosed(l.over)) {
			return wire.Errorf(wire.Closed, "pipe %s is not served any more", l.pipe)
		}
		st.Seq = max(st.Seq+1, uint64(now.UnixMilli()), atLeast)
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
	envelope, err := b.Sign(l.s.cfg.Key)
	if err != nil {
		return Record{}, err
	}
	if b, err = OpenBinding(envelope); err != nil {
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

// keep watches a publication to its end and renews it: at half of its life, or
// at once when this node's addresses change.
func (l *Listener) keep(ctx context.Context, p *publication) {
	for {
		if p = l.watch(ctx, p); p == nil {
			return
		}
	}
}

// watch follows one publication until the next is due, which it returns; nil
// when the listener is over.
func (l *Listener) watch(ctx context.Context, p *publication) *publication {
	defer p.stop()
	due := time.NewTimer(l.renewal())
	defer due.Stop()
	over := p.over
	for {
		select {
		case <-over:
			over = nil
			l.mu.Lock()
			l.holders = p.copies()
			l.mu.Unlock()
		case <-p.blocked:
			if next := l.contested(ctx, p.obstacle()); next != nil {
				return next
			}
			return nil
		case <-due.C:
			return l.again(ctx, due, 0)
		case <-l.renew:
			return l.again(ctx, due, 0)
		case <-l.over:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// renewal is the time to the next record: half of the life, or the end of the
// capability if that comes first.
func (l *Listener) renewal() time.Duration {
	wait := l.life / 2
	if l.capability != nil {
		wait = min(wait, max(0, time.Until(l.grant.Expiry)))
	}
	return wait
}

// contested judges what a holder shows against a standing binding: a newer
// record of this node's own is passed by, another binder's ends the listener.
func (l *Listener) contested(ctx context.Context, o *obstacle) *publication {
	if o.binding.Binder == l.s.cfg.principal() {
		return l.again(ctx, nil, o.binding.Seq+1)
	}
	if !l.beatenBy(o.binding, time.Now()) {
		return l.again(ctx, nil, 0) // it was revoked or has ended since
	}
	l.loseOrEnd(ctx, o.binding, o.envelope)
	return nil
}

// again signs and publishes the next record. What may pass is tried again until
// the listener is over; without the right to bind it ends.
func (l *Listener) again(ctx context.Context, due *time.Timer, atLeast uint64) *publication {
	for {
		r, err := l.sign(ctx, l.Status().Binding.Term, atLeast, false)
		switch wire.CodeOf(err) {
		case wire.OK:
			return l.s.publish(ctx, r, false)
		case wire.Expired, wire.Forbidden:
			l.end(err)
			return nil
		case wire.Closed:
			return nil
		}
		l.s.cfg.Log.Warn("binding could not be renewed", "pipe", l.pipe, "error", err)
		retry := time.NewTimer(retryRenewal)
		select {
		case <-retry.C:
		case <-l.renew:
		case <-l.over:
		case <-ctx.Done():
		}
		retry.Stop()
		if isClosed(l.over) || ctx.Err() != nil {
			return nil
		}
	}
}

// withdraw lets the holders know that this node serves the pipe no more.
func (l *Listener) withdraw(ctx context.Context) {
	term := l.Status().Binding.Term
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	r, err := l.sign(ctx, term, 0, true)
	if err != nil {
		l.s.cfg.Log.Warn("binding could not be withdrawn", "pipe", l.pipe, "error", err)
		return
	}
	l.s.learn(time.Now(), Found{
		Binding: *r.Binding, Envelope: r.Envelope, From: l.s.cfg.Self, Origin: OriginCached, received: time.Now(),
	})
	p := l.s.publish(ctx, r, false)
	defer p.stop()
	select {
	case <-p.over:
	case <-ctx.Done():
		p.stop()
		<-p.over
	}
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
