package pipe

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
)

// maxPeerID caps a binary peer ID: a multihash of 32 bytes, or a short key itself.
const maxPeerID = 64

// scanPeers caps how much of a peer's list is looked at, so that nonsense costs
// no more than sense.
const scanPeers = 4 * MaxCloser

// PeersToPB returns at most MaxCloser peers with at most MaxPeerAddrs addresses
// each; peers without a usable address are left out.
func PeersToPB(peers []peer.AddrInfo) []*pb.Peer {
	var list []*pb.Peer
	for _, p := range peers {
		if len(list) == MaxCloser {
			break
		}
		out := &pb.Peer{Id: []byte(p.ID)}
		for _, a := range p.Addrs {
			if a, ok := plainAddr(a, p.ID); ok && len(out.Addrs) < MaxPeerAddrs {
				out.Addrs = append(out.Addrs, a.Bytes())
			}
		}
		if len(p.ID) > 0 && len(out.Addrs) > 0 {
			list = append(list, out)
		}
	}
	return list
}

// PeersFromPB reads a list with the same caps. Nonsense is left out: bad IDs,
// addresses that are none, peers without address, peers named before, and
// those in except.
func PeersFromPB(peers []*pb.Peer, except ...peer.ID) []peer.AddrInfo {
	var list []peer.AddrInfo
	for _, p := range peers[:min(len(peers), scanPeers)] {
		if len(list) == MaxCloser {
			break
		}
		id, ok := peerID(p.GetId())
		if !ok || slices.Contains(except, id) || slices.ContainsFunc(list, func(o peer.AddrInfo) bool { return o.ID == id }) {
			continue
		}
		if addrs := addrsOf(id, p.GetAddrs()); len(addrs) > 0 {
			list = append(list, peer.AddrInfo{ID: id, Addrs: addrs})
		}
	}
	return list
}

func peerID(b []byte) (peer.ID, bool) {
	if len(b) > maxPeerID {
		return "", false
	}
	id, err := peer.IDFromBytes(b)
	return id, err == nil
}

func addrsOf(id peer.ID, raw [][]byte) []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, b := range raw[:min(len(raw), 2*MaxPeerAddrs)] {
		if len(b) > MaxEndpoint || len(addrs) == MaxPeerAddrs {
			continue
		}
		if a, err := ma.NewMultiaddrBytes(b); err == nil {
			if a, ok := plainAddr(a, id); ok {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs
}

// plainAddr takes the peer's own /p2p suffix off an address. It is false for
// an address that is empty, too long, or another peer's.
func plainAddr(a ma.Multiaddr, id peer.ID) (ma.Multiaddr, bool) {
	a, last := peer.SplitAddr(a)
	if len(a) == 0 || (last != "" && last != id) {
		return nil, false
	}
	return a, len(a.Bytes()) <= MaxEndpoint
}
