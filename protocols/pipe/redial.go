package pipe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Redial finds a path on which links of a route that this Service has opened or
// accepted can go on, within their pipe's path policy and transports: one that exists, else
// one to the endpoints known, else, as soon as that takes its time or fails, one
// to those that the overlay knows of the same binder now. It serves package link.
//
// Errors: BadRequest for another's route, Closed after Close, those of Resolve,
// or a *reach.DialError.
func (s *Service) Redial(ctx context.Context, r link.Route) (reach.Path, error) {
	w, ok := r.Key.(way)
	if !ok {
		return reach.Path{}, wire.Errorf(wire.BadRequest, "a route of kind %T is none of a pipe", r.Key)
	}
	if !s.begin() {
		return reach.Path{}, errClosed()
	}
	defer s.tasks.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if p, ok := s.standing(r.Peer, w); ok {
		return p, nil
	}
	d := &redialing{s: s, peer: r.Peer, way: w}
	return d.run(ctx)
}

// standing is the best path there is that fits.
func (s *Service) standing(p peer.ID, w way) (reach.Path, bool) {
	all := s.cfg.Reach.Paths(p)
	if i := slices.IndexFunc(all, w.fits); i >= 0 {
		return all[i], true
	}
	return reach.Path{}, false
}

// redialing is one Redial. Its fields are fixed.
type redialing struct {
	s    *Service
	peer peer.ID
	way  way
}

// redialled is how one try ended.
type redialled struct {
	path reach.Path
	err  error
}

// run tries what is known and, a little later, what is new.
func (d *redialing) run(ctx context.Context) (reach.Path, error) {
	var trying sync.WaitGroup
	defer trying.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	known := d.known()
	failed := make(chan struct{})
	found := make(chan redialled, 2)
	trying.Go(func() {
		p, err := d.dial(ctx, known)
		if err != nil {
			close(failed)
		}
		found <- redialled{p, err}
	})
	trying.Go(func() {
		p, err := d.afresh(ctx, known, failed)
		found <- redialled{p, err}
	})
	first := <-found
	if first.err == nil {
		return first.path, nil
	}
	second := <-found
	return second.path, second.err
}

// known is the binder's record in the cache; one without endpoints if there is
// none.
func (d *redialing) known() Found {
	k, who := d.s.cache.records(d.way.pipe), identity.PeerPrincipal(d.peer)
	for _, f := range k.live(time.Now()) {
		if f.Binding.Binder == who {
			return f
		}
	}
	return Found{Binding: Binding{Pipe: d.way.pipe, Binder: who}}
}

// dial makes a path to the endpoints of a record, and to others that reach
// knows.
func (d *redialing) dial(ctx context.Context, f Found) (p reach.Path, err error) {
	err = wire.Errorf(wire.Unreachable, "the pipe and its path policy allow no path")
	for _, w := range d.way.wants(reach.Want{
		Peer: d.peer, Addrs: f.Binding.Endpoints, Unproven: f.unproven(), Seen: f.seen(), Explicit: true,
	}) {
		if p, _, err = d.s.cfg.Reach.Path(ctx, w); err == nil {
			return p, nil
		}
	}
	return p, err
}

// afresh asks the overlay for a newer record when what is known is late, or has
// failed, and dials that.
func (d *redialing) afresh(ctx context.Context, known Found, failed <-chan struct{}) (reach.Path, error) {
	late := time.NewTimer(headStart)
	defer late.Stop()
	select {
	case <-late.C:
	case <-failed:
	case <-ctx.Done():
		return reach.Path{}, ctx.Err()
	}
	if d.way.accepted {
		return d.wherever(ctx)
	}
	look := newDialing(d.s, d.way.pipe, DialOptions{Transport: d.way.transport, Binders: []peer.ID{d.peer}})
	defer look.release()
	look.tried[string(known.Envelope)] = true
	tried := [][]ma.Multiaddr{known.Binding.Endpoints}
	for more := true; more; more = look.more(ctx) {
		for len(look.queue) > 0 {
			f := look.queue[0]
			look.queue = look.queue[1:]
			if slices.ContainsFunc(tried, func(o []ma.Multiaddr) bool { return slices.EqualFunc(o, f.Binding.Endpoints, equalAddrs) }) {
				continue
			}
			tried = append(tried, f.Binding.Endpoints)
			current, done := look.whileCurrent(ctx, f, headStart)
			p, err := d.dial(current, f.Found)
			if done(); err == nil {
				return p, nil
			}
		}
	}
	return d.wherever(ctx)
}

// wherever dials the addresses that the overlay knows of the node: it may have
// ceased to serve the pipe.
func (d *redialing) wherever(ctx context.Context) (reach.Path, error) {
	at := d.s.locate(ctx, d.peer)
	if len(at.Addrs) == 0 {
		return reach.Path{}, wire.Errorf(wire.Unreachable, "the overlay knows no other way to %s", d.peer)
	}
	return d.dial(ctx, Found{Binding: Binding{Endpoints: at.Addrs}})
}
