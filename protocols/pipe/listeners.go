package pipe

import (
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// register makes the listener known, so that dialers reach it as soon as its
// record is out.
func (s *Service) register(l *Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return errClosed()
	}
	if s.listeners[l.pipe] != nil {
		return wire.Errorf(wire.Taken, "this node serves pipe %s already", l.pipe).WithNext("close the other listener first")
	}
	s.listeners[l.pipe], s.byKey[l.pipe.Key()] = l, l
	revocations, logs := s.revoked.keep(l.pipe), s.known.keepAll(map[identity.Principal]bool{l.advertisement.Owner: true, l.account: true})
	l.unkeep = func() { revocations(); logs() }
	return nil
}

func (s *Service) forget(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[l.pipe] == l {
		l.unkeep()
		delete(s.listeners, l.pipe)
		delete(s.byKey, l.pipe.Key())
	}
}

// Listeners returns the pipes that this node serves now, in no order.
func (s *Service) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Listener, 0, len(s.listeners))
	for _, l := range s.listeners {
		all = append(all, l)
	}
	return all
}
