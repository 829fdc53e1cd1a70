package node

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

func TestManyConnectionsFromOneAddressPass(t *testing.T) {
	c, err := Config{}.normalize()
	if err != nil {
		t.Fatal(err)
	}
	rm, err := newResourceManager(c.Overlay, c.Limits, newRefusals(c.Overlay))
	if err != nil {
		t.Fatal(err)
	}
	defer rm.Close()
	proxy := ma.StringCast("/ip4/198.51.100.7/tcp/4001")
	for i := range c.Limits.ConnectionsPerIP {
		scope, err := rm.OpenConnection(network.DirInbound, true, proxy)
		if err != nil {
			t.Fatalf("connection %d from one address: %v", i+1, err)
		}
		defer scope.Done()
	}
	if _, err := rm.OpenConnection(network.DirInbound, true, proxy); err == nil {
		t.Error("there is no cap at all")
	}
}

func TestOurProtocolsHaveLimitsOfTheirOwn(t *testing.T) {
	c, err := Config{Overlay: "mine", Limits: Limits{StreamsPerPeer: 3000}}.normalize()
	if err != nil {
		t.Fatal(err)
	}
	got := resourceLimits(c.Overlay, c.Limits).ToPartialLimitConfig()
	if l := got.ProtocolPeer[pipe.ConnProtocol("mine")]; l.StreamsInbound != 3000 || l.StreamsOutbound != 3000 {
		t.Errorf("pipe connections per peer: %+v", l)
	}
	if l := got.ProtocolPeer[trunk.Protocol("mine")]; l.StreamsInbound != 64 || l.StreamsOutbound != 64 {
		t.Errorf("carriers per peer: %+v", l)
	}
	if l := got.PeerDefault; l.StreamsInbound < 3000 {
		t.Errorf("streams per peer: %+v", l)
	}
	if l := got.System; l.StreamsInbound < 6000 || int(l.Conns) != c.Limits.Connections {
		t.Errorf("all: %+v", l)
	}
	var none rcmgr.ResourceLimits
	if got.ProtocolPeer["/ipfs/ping/1.0.0"] == none {
		t.Error("libp2p's own limits are gone")
	}
}
