package pipe

import (
	"context"
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Located is what the overlay says of a node's addresses.
type Located struct {
	Peer  peer.AddrInfo // without addresses where nobody names any
	From  peer.ID       // who named them
	Asked int           // nodes that were asked
}

// Locate walks towards a node until somebody names its addresses. ctx bounds
// it.
func (s *Service) Locate(ctx context.Context, id peer.ID) Located {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := Located{Peer: peer.AddrInfo{ID: id}}
	var mu sync.Mutex
	s.towards(ctx, id, func(from peer.ID, a Answer, err error) {
		mu.Lock()
		defer mu.Unlock()
		found.Asked++
		for _, p := range a.Closer {
			if p.ID == id && found.From == "" {
				found.Peer, found.From = p, from
				cancel()
			}
		}
	})
	mu.Lock()
	defer mu.Unlock()
	return found
}

// Survey is how the nodes nearest to this one answered.
type Survey struct {
	Asked, Answered int
	Err             error // of the last that did not; nil if all did
}

// Survey asks the nodes nearest to this one for who is near, as a walk does.
// ctx bounds it; who has not answered by then counts as one that does not.
func (s *Service) Survey(ctx context.Context) Survey {
	var told Survey
	var mu sync.Mutex
	s.towards(ctx, s.cfg.Self, func(_ peer.ID, _ Answer, err error) {
		mu.Lock()
		defer mu.Unlock()
		told.Asked++
		if err == nil {
			told.Answered++
		} else {
			told.Err = err
		}
	})
	mu.Lock()
	defer mu.Unlock()
	return told
}

// towards walks to a node's place in the key space; heard is told each answer,
// from several goroutines at once.
func (s *Service) towards(ctx context.Context, id peer.ID, heard func(from peer.ID, a Answer, err error)) {
	if !s.begin() {
		return
	}
	defer s.tasks.Done()
	q := Query{Key: peerKey(id)}
	_, err := s.cfg.Router.Walk(ctx, q.Key, func(ctx context.Context, to peer.AddrInfo) ([]peer.AddrInfo, error) {
		if to.ID == id {
			return nil, wire.Errorf(wire.Unknown, "a node is not asked where it is itself")
		}
		q := q
		q.Nonce = identity.NewNonce()
		a, err := s.request(ctx, to, q.Message())
		if !errors.Is(ctx.Err(), context.Canceled) { // the walk has not ended before the answer
			heard(to.ID, a, err)
		}
		return a.Closer, err
	})
	if err != nil {
		s.cfg.Log.Debug("walk towards a node", "peer", id, "error", err)
	}
}
