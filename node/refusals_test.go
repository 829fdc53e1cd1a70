package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// limited makes a resource manager of a node with few of everything.
func limited(t *testing.T, l Limits) (network.ResourceManager, *refusals) {
	t.Helper()
	c, err := Config{Limits: l}.normalize()
	if err != nil {
		t.Fatal(err)
	}
	r := newRefusals(c.Overlay)
	rm, err := newResourceManager(c.Overlay, c.Limits, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rm.Close() })
	return rm, r
}

func wantRefusal(t *testing.T, r *refusals, want capName) {
	t.Helper()
	all := r.list()
	if len(all) != 1 || all[0].Limit != want.limit || all[0].Setting != want.setting || all[0].Count == 0 || all[0].Last.IsZero() {
		t.Errorf("refusals %+v, want one of %+v", all, want)
	}
}

func TestConnectionsRefusedByAddressAreCounted(t *testing.T) {
	rm, r := limited(t, Limits{ConnectionsPerIP: 2})
	at := ma.StringCast("/ip4/198.51.100.7/tcp/4001")
	for range 2 {
		if _, err := rm.OpenConnection(network.DirInbound, true, at); err != nil {
			t.Fatal(err)
		}
	}
	_, err := rm.OpenConnection(network.DirInbound, true, at)
	if wire.CodeOf(err) != wire.Limit || wire.NextOf(err) != "raise limits.connections_per_ip" {
		t.Errorf("%v, next %q", err, wire.NextOf(err))
	}
	wantRefusal(t, r, capIPConns)
}

func TestConnectionsBeyondTheLimitAreCounted(t *testing.T) {
	rm, r := limited(t, Limits{Connections: 4})
	for i := range 4 {
		_, err := rm.OpenConnection(network.DirInbound, true, ma.StringCast(fmt.Sprintf("/ip4/198.51.100.%d/tcp/1", i)))
		if i < 2 && err != nil {
			t.Fatal(err)
		}
	}
	wantRefusal(t, r, capConns)
}

func TestStreamsBeyondThoseOfAPeerAreCounted(t *testing.T) {
	rm, r := limited(t, Limits{StreamsPerPeer: 3})
	for range 4 {
		if s, err := rm.OpenStream("peer", network.DirInbound); err == nil {
			_ = s.SetProtocol(pipe.ConnProtocol(pipe.DefaultOverlay))
		}
	}
	wantRefusal(t, r, capPeerStreams)
}

func TestScopesAreNamedByTheLimitThatRulesThem(t *testing.T) {
	r := newRefusals("mine")
	for scope, want := range map[string]capName{
		"system": capStreams, "transient": capPeerStreams, "peer:12D3": capPeerStreams,
		"protocol:/mine/pipe-conn/1": capStreams, "protocol:/mine/pipe-conn/1.peer:12D3": capPeerStreams,
		"protocol:/ipfs/ping/1.0.0": capForeign, "protocol:/mineral/x/1": capForeign, "service:libp2p.relay/v2.peer:12D3": capForeign,
	} {
		if got := r.streamCap(scope); got != want {
			t.Errorf("%s: %+v", scope, got)
		}
	}
	r.ConsumeEvent(rcmgr.TraceEvt{Type: rcmgr.TraceBlockReserveMemoryEvt, Name: "system"})
	r.ConsumeEvent(rcmgr.TraceEvt{Type: rcmgr.TraceAddStreamEvt, Name: "system"})
	wantRefusal(t, r, capMemory)
}

// TestEverySettingNamedIsOneOfTheLimits holds the names against Limits, and
// every cap of the pipe service against a name.
func TestEverySettingNamedIsOneOfTheLimits(t *testing.T) {
	n := start(t, local("/ip4/127.0.0.1/tcp/0"))
	for _, c := range []pipe.Cap{pipe.CapRate, pipe.CapServing, pipe.CapBacklog, pipe.CapConns} {
		n.hear(pipe.Event{Kind: pipe.EventLimited, Cap: c})
	}
	n.hear(pipe.Event{Kind: pipe.EventRequest, Code: wire.Timeout})
	if n.answered.Load() != 0 {
		t.Error("silence is taken for an answer")
	}
	told := n.refusals.list()
	if len(told) != 4 {
		t.Errorf("%+v", told)
	}
	for _, c := range []capName{capMemory, capStreams, capPeerStreams, capConns, capPeerConns, capIPConns} {
		told = append(told, doctor.Refusal{Limit: c.limit, Setting: c.setting})
	}
	for _, r := range told {
		known := r.Setting == "" || slices.ContainsFunc(n.Limits(), func(l Limit) bool { return l.Setting == r.Setting })
		if r.Limit == "" || !known {
			t.Errorf("%+v", r)
		}
	}
}
