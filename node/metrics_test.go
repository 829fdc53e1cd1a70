package node

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestMetricsNameNoPeer(t *testing.T) {
	a := start(t, local())
	cfg := local()
	cfg.Join = []string{ticket(a)}
	b := start(t, cfg)
	if err := b.Ready(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if _, err := peer.Decode(l.GetValue()); err == nil {
					t.Errorf("%s has the label %s=%s", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
	for _, want := range []string{"panpipe_peers", "panpipe_joined", "libp2p_swarm_connections_opened_total", "go_goroutines"} {
		if !names[want] {
			t.Errorf("no metric %s", want)
		}
	}
}

func TestTicketsPreferWhatOthersCanReach(t *testing.T) {
	n := start(t, local())
	got := n.Ticket()
	if got.Overlay != "panpipe" || len(got.Peers) != 1 || len(got.Peers[0].Addrs) != ticketAddrs {
		t.Errorf("ticket %+v", got)
	}
	if a := got.Peers[0].Addrs[0]; a[2].Protocol().Name != "quic-v1" {
		t.Errorf("first address %s", a)
	}
	if text := got.String(); len(text) > 600 {
		t.Errorf("%d characters: %s", len(text), text)
	}
}
