package discovery

import (
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// KadProtocol is kad-dht's protocol ID in an overlay. It is spoken by the
// servers of an overlay, and by them alone: that a node tells it in identify
// marks it as a server.
func KadProtocol(overlay string) protocol.ID {
	return protocol.ID("/" + overlay + "/kad/1.0.0")
}

// newKad starts kad-dht for its routing table and the refresh of it. Under a
// prefix of one's own it filters neither addresses nor peers, so LAN and
// loopback addresses stand in its answers. It holds no values: records are
// held by the pipe protocol.
func newKad(cfg Config) (*dht.IpfsDHT, error) {
	mode := dht.ModeAuto
	switch cfg.Role {
	case RoleServer:
		mode = dht.ModeServer
	case RoleClient:
		mode = dht.ModeClient
	}
	opts := []dht.Option{
		dht.ProtocolPrefix(protocol.ID("/" + cfg.Overlay)),
		dht.Mode(mode),
		dht.BucketSize(K),
		dht.RoutingTableRefreshPeriod(cfg.RefreshPeriod),
		dht.DisableValues(),
	}
	if !cfg.Providers {
		opts = append(opts, dht.DisableProviders())
	}
	return dht.New(trimmable{cfg.Host}, opts...)
}

// trimmable is a host whose connection manager decides by itself which
// connections are kept; see worth. kad-dht would protect the two farthest
// buckets, up to 40 nodes, and as many protect this one from their side, so that
// no limit on connections below that could be kept.
type trimmable struct{ host.Host }

// ConnManager gives kad-dht a connection manager that takes no advice.
func (trimmable) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }
