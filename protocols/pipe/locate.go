package pipe

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

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

// whereabouts puts what the overlay knows of a binder's addresses in the place
// of its endpoints. Nobody has seen it at any of them.
func (s *Service) whereabouts(ctx context.Context, f Found) Found {
	if id, ok := f.Binding.Binder.Peer(); ok {
		f.Binding.Endpoints = s.locate(ctx, id).Addrs
		f = unseen(f)
	}
	return f
}

// locate walks towards a node until somebody names its addresses.
func (s *Service) locate(ctx context.Context, id peer.ID) peer.AddrInfo {
	return s.Locate(ctx, id).Peer
}
