package node

import (
	"context"
	"testing"
	"time"
)

// local is a node of tests: loopback, nothing from outside.
func local(listen ...string) Config {
	c := Config{DisableMDNS: true, DisablePortMapping: true, Listen: listen}
	if listen == nil {
		c.Listen = []string{
			"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws",
			"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", "/ip4/127.0.0.1/udp/0/webrtc-direct",
		}
	}
	return c
}

func start(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestLoneNodeIsReadyAtOnceAndLeavesNothing(t *testing.T) {
	defer noLeak(t)
	n, err := Start(t.Context(), local())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Ready(within(t, time.Second)); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
