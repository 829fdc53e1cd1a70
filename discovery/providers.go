package discovery

import "github.com/libp2p/go-libp2p/core/routing"

// ContentRouting is kad-dht's own, on the routing table of this node: provider
// records beside pipes. It is nil unless Config.Providers is set.
func (d *Discovery) ContentRouting() routing.ContentRouting {
	if !d.cfg.Providers {
		return nil
	}
	return d.kad
}
