package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Whoever waits for a binder asks again after these pauses, rising.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// Resolve finds who serves a pipe: among this node's own bindings, in its
// cache, then by asking known binders and nodes ever closer to the pipe's key.
// It returns at the first proven binding. The search goes on behind it until
// three holders have spoken, and what it finds goes into the cache.
//
// Errors: Unbound when nobody serves the pipe, Unsupported when nobody does on
// the asked transport, Unreachable when no node answered, Timeout.
func (s *Service) Resolve(ctx context.Context, id ID, o ResolveOptions) (*Resolution, error) {
	if !o.NoCache && !o.Fresh && len(o.Only) == 0 {
		if r := s.atHand(id, o); r != nil {
			s.cfg.Tracer.Trace(Event{Kind: EventCached})
			return r, nil
		}
	}
	started := time.Now()
	r, err := s.resolveWaiting(ctx, id, o)
	s.trace(EventResolve, err, time.Since(started))
	return r, err
}

// atHand answers without the network, nil if it cannot.
func (s *Service) atHand(id ID, o ResolveOptions) *Resolution {
	r := s.cache.resolution(id, time.Now())
	if f, ok := s.serves(id); ok {
		r = withOwn(r, f)
	}
	if r == nil {
		return nil
	}
	usable := offering(r.Bindings, o.Transport)
	if len(o.Binders) > 0 {
		wanted := o.binders()
		usable = slices.DeleteFunc(slices.Clone(usable), func(f Found) bool { return !slices.Contains(wanted, f.Binding.Binder) })
	}
	if len(usable) == 0 {
		return nil
	}
	return &Resolution{Pipe: id, Advertisement: r.Advertisement, Bindings: agedAll(usable, time.Now())}
}

// withOwn puts this node's own binding first; on an exclusive pipe it is the
// only one that counts.
func withOwn(r *Resolution, own Found) *Resolution {
	out := &Resolution{Pipe: own.Binding.Pipe, Advertisement: own.Binding.Advertisement, Bindings: []Found{own}}
	if r == nil || own.Binding.Advertisement.Binders == Exclusive {
		return out
	}
	for _, f := range r.Bindings {
		if f.Binding.Binder != own.Binding.Binder {
			out.Bindings = append(out.Bindings, f)
		}
	}
	return out
}

// serves returns this node's own live binding of a pipe.
func (s *Service) serves(id ID) (Found, bool) {
	s.mu.Lock()
	l := s.listeners[id]
	s.mu.Unlock()
	if l == nil {
		return Found{}, false
	}
	return l.found()
}

// resolveWaiting repeats the search until a binder is there or the asked wait
// is over. A record that reaches this node meanwhile ends the pause.
func (s *Service) resolveWaiting(ctx context.Context, id ID, o ResolveOptions) (*Resolution, error) {
	wake := make(chan struct{}, 1)
	stop := s.cache.onChange(id, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer stop()
	over := time.NewTimer(o.Wait)
	defer over.Stop()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstPause, longestPause
	var woken time.Time
	for {
		r, err := s.resolveOnce(ctx, id, o)
		if err == nil || o.Wait <= 0 || !waitable(err) {
			return r, err
		}
		again := time.NewTimer(pause.NextBackOff())
		select {
		case <-again.C:
		case <-wake:
			unhurried(ctx, &woken)
		case <-over.C:
			return nil, err
		case <-ctx.Done():
			return nil, waitError(ctx, id, err)
		}
		again.Stop()
	}
}

// unhurried has news acted upon once in firstPause at most, or sooner at the
// end of ctx: whoever stores records must not set the pace at which this node
// asks others. last is when it was done before.
func unhurried(ctx context.Context, last *time.Time) {
	pause := time.NewTimer(max(0, time.Until(last.Add(firstPause))))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	*last = time.Now()
}

// waitable are the failures that a binder who comes later would cure.
func waitable(err error) bool {
	switch wire.CodeOf(err) {
	case wire.Unbound, wire.Unreachable, wire.Unsupported, wire.NotReady:
		return true
	}
	return false
}

// waitError says what was missing when the caller's time was over.
func waitError(ctx context.Context, id ID, last error) error {
	err := wire.Errorf(wire.CodeOf(ctx.Err()), "resolving pipe %s: %w", id, ctx.Err())
	if last != nil {
		err = wire.Errorf(wire.CodeOf(ctx.Err()), "resolving pipe %s: %w; until then: %s", id, ctx.Err(), last)
		err.Next = wire.NextOf(last)
	}
	return err
}

func (s *Service) resolveOnce(ctx context.Context, id ID, o ResolveOptions) (*Resolution, error) {
	if o.NoCache {
		return s.resolveAtBinders(ctx, id, o)
	}
	q := wants(id, o.Transport, o.binders())
	r, err := s.await(ctx, s.start(ctx, id, q, s.plan(id, o)), o.Transport)
	if err == nil || o.Transport == "" || wire.CodeOf(err) != wire.Unbound {
		return r, err
	}
	// Nodes give only what is on the transport: ask once more whether the pipe
	// is unbound or merely elsewhere, for a word that helps.
	q.Transport = ""
	x := s.start(ctx, id, q, s.plan(id, o))
	if all, otherErr := s.await(ctx, x, ""); otherErr == nil {
		return nil, notOffered(id, o.Transport, all.Bindings)
	}
	return nil, err
}

// plan asks these peers alone, or known binders first and then the overlay.
func (s *Service) plan(id ID, o ResolveOptions) plan {
	if len(o.Only) > 0 {
		return plan{direct: s.others(o.Only), here: slices.Contains(o.Only, s.cfg.Self)}
	}
	return plan{direct: s.knownBinders(id), walk: true, here: true}
}

// await waits for the first binding that counts, or for the end of the search.
func (s *Service) await(ctx context.Context, x *search, t reach.Transport) (*Resolution, error) {
	select {
	case <-x.found:
	case <-x.done:
	case <-ctx.Done():
		x.stop()
		return nil, waitError(ctx, x.id, nil)
	}
	return x.outcome(t)
}

// resolveAtBinders finds who the binders are, from whatever source, and then
// takes only their own word.
func (s *Service) resolveAtBinders(ctx context.Context, id ID, o ResolveOptions) (*Resolution, error) {
	o.NoCache = false
	started := time.Now()
	hint := o
	asked := 0
	for _, fresh := range []bool{false, true} {
		hint.Fresh = fresh
		r, err := s.hints(ctx, id, hint)
		if err != nil {
			if fresh {
				return nil, err
			}
			continue
		}
		q := wants(id, o.Transport, o.binders())
		q.NoCache = true
		x := s.start(ctx, id, q, plan{direct: addrsOfBinders(s.cfg.Self, r.Bindings, MaxOnlyPeers), here: true})
		out, err := s.await(ctx, x, o.Transport)
		if err == nil {
			out.Asked, out.Took = out.Asked+asked+r.Asked, time.Since(started)
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		asked += r.Asked
	}
	return nil, wire.Errorf(wire.Unbound, "no binder of pipe %s says now that it serves it", id).
		WithNext("resolve without no-cache to see what the holders have")
}

// hints resolves from whatever source.
func (s *Service) hints(ctx context.Context, id ID, o ResolveOptions) (*Resolution, error) {
	if !o.Fresh && len(o.Only) == 0 {
		if r := s.atHand(id, ResolveOptions{}); r != nil {
			return r, nil
		}
	}
	return s.resolveOnce(ctx, id, o)
}

// knownBinders are those that served the pipe when last heard of.
func (s *Service) knownBinders(id ID) []peer.AddrInfo {
	k := s.cache.records(id)
	return addrsOfBinders(s.cfg.Self, k.records, maxKnownBinders)
}

// maxKnownBinders caps those that are asked beside a walk.
const maxKnownBinders = 3

func addrsOfBinders(self peer.ID, records []Found, most int) []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, f := range records {
		if p, ok := f.Binding.Binder.Peer(); ok && p != self && !f.Binding.Withdrawn && len(out) < most {
			out = append(out, peer.AddrInfo{ID: p, Addrs: f.few()})
		}
	}
	return out
}

func (o ResolveOptions) binders() []identity.Principal {
	var out []identity.Principal
	for _, p := range o.Binders {
		out = append(out, identity.PeerPrincipal(p))
	}
	return out
}
