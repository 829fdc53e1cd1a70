package pipe

import (
	"context"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// trail is the care for all links of one route that this node has dialled: their
// peer is kept, a direct path is sought beside a relayed one, and they move to
// it when it is there.
type trail struct {
	links int // that are open
	stop  func()
}

// follow cares for one more link of a route, until release.
func (s *Service) follow(r link.Route) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trails[r]
	if t == nil {
		t = &trail{stop: s.watchRoute(r)}
		s.trails[r] = t
	}
	t.links++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.links--; t.links == 0 {
			delete(s.trails, r)
			t.stop()
		}
	})
}

// watchRoute begins the care, with a goroutine for each kind of path that would
// be better than one through a relay. It is called with s.mu held.
func (s *Service) watchRoute(r link.Route) (stop func()) {
	wants := r.Key.(way).wants(reach.Want{Peer: r.Peer})
	unkeep := func() {}
	if len(wants) > 0 {
		unkeep = s.cfg.Reach.Keep(wants[0])
	}
	ctx, cancel := context.WithCancel(s.ctx)
	for _, w := range wants {
		if w.Transport == reach.Relay || s.ended {
			continue
		}
		news := s.cfg.Reach.Watch(ctx, w)
		s.tasks.Go(func() {
			for p := range news {
				s.cfg.Links.Retry(r.Peer)
				s.cfg.Links.Offer(ctx, p)
			}
		})
	}
	return func() {
		cancel()
		unkeep()
	}
}
