package discovery

import (
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// spy is a gate that passes on what it is told.
type spy struct {
	trusted chan vouched
	own     chan reach.Own
}

type vouched struct {
	by   reach.Voucher
	peer peer.ID
}

func (s spy) Trust(by reach.Voucher, p peer.ID, _ ...ma.Multiaddr) { s.trusted <- vouched{by, p} }
func (s spy) SetOwn(own reach.Own, _ bool)                         { s.own <- own }

func TestTheGateHearsWhomTheNodeMayTrustAndWhereItIs(t *testing.T) {
	joined, lan, remembered := loopback(t), loopback(t), loopback(t)
	info := func(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }
	for _, h := range []host.Host{joined, lan, remembered} {
		start(t, h, Config{})
	}
	s := spy{make(chan vouched, 100), make(chan reach.Own, 100)}
	n := start(t, loopback(t), Config{
		Gate: s, Join: []peer.AddrInfo{info(joined)}, Store: &shelf{peers: []peer.AddrInfo{info(remembered)}}, MDNS: true,
		lan: func(_ host.Host, _ string, found func(peer.AddrInfo)) (io.Closer, error) {
			found(info(lan))
			return countedCloser(make(chan struct{}, 1)), nil
		},
	})
	missing := map[vouched]bool{
		{reach.ByPerson, joined.ID()}: true, {reach.ByLAN, lan.ID()}: true, {reach.ByMemory, remembered.ID()}: true,
	}
	for len(missing) > 0 {
		select {
		case v := <-s.trusted:
			if !missing[v] {
				t.Errorf("%+v is vouched for", v)
			}
			delete(missing, v)
		case <-t.Context().Done():
			t.Fatalf("not vouched for: %+v", missing)
		}
	}
	if own := <-s.own; len(own.Public) > 0 || own.Outside || len(n.OwnPublic()) > 0 || n.Observed().IsValid() {
		t.Errorf("on loopback this node is at %+v", own)
	}
}
