//go:build figures

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

const (
	memoryChannels = 4000             // of which the memory is measured
	idleChannels   = 10_000           // on each transport
	settleTime     = 10 * time.Second // for a runtime to give memory back
)

// idleTransport is one over which channels are held.
type idleTransport struct {
	name      string
	transport reach.Transport
}

// idleTransports are those that a node listens on by itself on loopback: wss
// needs somebody else before it who speaks TLS, and a relay needs addresses that
// others reach; make test-full has channels over one.
func idleTransports() []idleTransport {
	return []idleTransport{
		{"tcp", reach.TCP}, {"ws", reach.WS}, {"quic", reach.QUIC},
		{"webtransport", reach.WebTransport}, {"webrtc", reach.WebRTC},
	}
}

// measureGatewayIdle holds ten thousand channels, all of which work when they
// have been idle for a while.
func measureGatewayIdle(t *testing.T, report *figures.Report, i idleTransport) {
	g := startGateway(t, startService(t), i.transport,
		"--listen", "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", "--listen", "/ip4/127.0.0.1/udp/0/webrtc-direct")
	for range 100 {
		if err := live(g); err != nil {
			t.Fatal(err)
		}
	}
	before := g.resident(t)
	held, err := holdMany(g, idleChannels)
	if err != nil {
		t.Error(firstLine(err))
	}
	<-time.After(idleTime)
	each := (g.resident(t) - before) / float64(len(held))
	report.Add("gateway_idle_channels_"+i.name, float64(answering(t, g, held)), "channels", fmt.Sprintf(">=%d", idleChannels))
	report.Add("gateway_idle_channel_"+i.name, each, "KiB", "-")
	shut(held)
}

// measureGatewayMemory measures what an idle channel costs both nodes together.
func measureGatewayMemory(t *testing.T, report *figures.Report) {
	service := startService(t)
	g := startGateway(t, service, reach.TCP)
	ssh := startSSH(t, service)
	report.Add("ssh_idle_channel", perChannel(t, ssh, func() {}), "KiB", "-")
	report.Add("gateway_idle_channel", perChannel(t, &g.tunnel, func() { g.collect(t) }), "KiB", "<=32")
}

// perChannel holds channels and returns the growth of the resident memory of
// all processes, in KiB for each, once collect has collected garbage.
func perChannel(t *testing.T, w *tunnel, collect func()) float64 {
	t.Helper()
	held, err := holdMany(w, memoryChannels/20) // what comes with the first channels is not theirs
	if err != nil {
		t.Fatal(err)
	}
	shut(held)
	before := settled(t, w, collect)
	if held, err = holdMany(w, memoryChannels); err != nil {
		t.Fatal(firstLine(err))
	}
	defer shut(held)
	return (settled(t, w, collect) - before) / memoryChannels
}

// settled is the resident memory of a tunnel's processes, in KiB, once they have
// given back what they do not use.
func settled(t *testing.T, w *tunnel, collect func()) float64 {
	t.Helper()
	collect()
	<-time.After(settleTime)
	collect()
	kib, err := residentOf(w.pids())
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// resident is the resident memory of both nodes, in KiB, without garbage.
func (g *gateways) resident(t *testing.T) float64 {
	t.Helper()
	return settled(t, &g.tunnel, func() { g.collect(t) })
}

func shut(held []stream) {
	for _, h := range held {
		if h != nil {
			h.Close()
		}
	}
}
