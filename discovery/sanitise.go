package discovery

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// maxAddrBytes caps one address that somebody else tells of.
const maxAddrBytes = 256

// sanitise keeps what makes sense of a list that another node sent: of its
// first K entries those with a valid ID that is not self and at least one
// address that could be dialled, each node once, each with at most maxAddrs
// addresses without the node's own /p2p suffix. The input is not changed.
func sanitise(infos []peer.AddrInfo, self peer.ID) []peer.AddrInfo {
	out := make([]peer.AddrInfo, 0, min(len(infos), K))
	for i, in := range infos {
		if i == K {
			break
		}
		if in.ID == self || !validID(in.ID) {
			continue
		}
		if slices.ContainsFunc(out, func(o peer.AddrInfo) bool { return o.ID == in.ID }) {
			continue
		}
		if addrs := cleanAddrs(in.ID, in.Addrs); len(addrs) > 0 {
			out = append(out, peer.AddrInfo{ID: in.ID, Addrs: addrs})
		}
	}
	return out
}

func validID(id peer.ID) bool {
	_, err := peer.IDFromBytes([]byte(id))
	return err == nil
}

// cleanAddrs keeps at most maxAddrs of the first 4*maxAddrs addresses.
func cleanAddrs(id peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for i, a := range addrs {
		if i == 4*maxAddrs || len(out) == maxAddrs {
			break
		}
		if len(a) == 0 || len(a.Bytes()) > maxAddrBytes {
			continue
		}
		transport, named := peer.SplitAddr(a)
		if len(transport) == 0 || (named != "" && named != id) || !dialable(transport) {
			continue
		}
		if !slices.ContainsFunc(out, transport.Equal) {
			out = append(out, transport)
		}
	}
	return out
}

// dialable drops what can never be another node: addresses without a port or
// host part, unspecified and multicast ones.
func dialable(a ma.Multiaddr) bool {
	if manet.IsIPUnspecified(a) {
		return false
	}
	if ip, err := manet.ToIP(a); err == nil && ip.IsMulticast() {
		return false
	}
	return len(a) > 1
}

// bestAddrs orders addresses for others: public before private before loopback
// before relayed, otherwise as given.
func bestAddrs(addrs []ma.Multiaddr) []ma.Multiaddr {
	out := slices.Clone(addrs)
	slices.SortStableFunc(out, func(a, b ma.Multiaddr) int { return addrRank(a) - addrRank(b) })
	return out
}

func addrRank(a ma.Multiaddr) int {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return 3
	}
	switch {
	case manet.IsPublicAddr(a):
		return 0
	case manet.IsIPLoopback(a):
		return 2
	}
	return 1
}
