package integration

import (
	"context"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// startNode runs a node on loopback sockets of three transports, joined through
// the given ones, until the test ends.
func startNode(t *testing.T, through ...*node.Node) *node.Node {
	t.Helper()
	cfg := node.Config{
		Listen:             []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0/ws"},
		DisableMDNS:        true,
		DisablePortMapping: true,
	}
	for _, n := range through {
		cfg.Join = append(cfg.Join, n.Ticket().String())
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatalf("ready: %v", err)
	}
	return n
}

// startNodes runs count nodes that join through the first.
func startNodes(t *testing.T, count int) []*node.Node {
	t.Helper()
	nodes := []*node.Node{startNode(t)}
	for len(nodes) < count {
		nodes = append(nodes, startNode(t, nodes[0]))
	}
	return nodes
}

// on returns the addresses among addrs that are on transport.
func on(transport reach.Transport, addrs []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range addrs {
		if reach.TransportOf(a) == transport {
			out = append(out, a)
		}
	}
	return out
}
