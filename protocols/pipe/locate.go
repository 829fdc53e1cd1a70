package pipe

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// others are the named peers but this node, with the addresses that the router
// knows.
func (s *Service) others(ids []peer.ID) []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, id := range ids {
		if id == s.cfg.Self {
			continue
		}
		to := peer.AddrInfo{ID: id}
		for _, p := range s.cfg.Router.Closer(peerKey(id), 1) {
			if p.ID == id {
				to = p
			}
		}
		out = append(out, to)
	}
	return out
}

// peerKey is a node's own place in the key space.
func peerKey(id peer.ID) wire.Key { return wire.Place([]byte(id)) }

// locate walks towards a node until somebody names its addresses.
func (s *Service) locate(ctx context.Context, id peer.ID) peer.AddrInfo {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan peer.AddrInfo, 1)
	q := Query{Key: peerKey(id)}
	_, err := s.cfg.Router.Walk(ctx, q.Key, func(ctx context.Context, to peer.AddrInfo) ([]peer.AddrInfo, error) {
		q := q
		q.Nonce = identity.NewNonce()
		a, err := s.request(ctx, to, q.Message())
		for _, p := range a.Closer {
			if p.ID == id {
				select {
				case found <- p:
					cancel()
				default:
				}
			}
		}
		return a.Closer, err
	})
	select {
	case p := <-found:
		return p
	default:
		s.cfg.Log.Debug("no node names the addresses of a peer", "peer", id, "error", err)
		return peer.AddrInfo{ID: id}
	}
}
