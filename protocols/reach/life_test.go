package reach_test

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestCloseEndsDialsAndMayBeRepeated(t *testing.T) {
	for _, tr := range []reach.Transport{reach.Any, reach.TCP} {
		a, b := newNode(t, nil), newNode(t, nil)
		mute, l := listener(t)
		told := make(chan error, 1)
		go func() {
			_, _, err := a.Path(t.Context(), reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{mute}, Transport: tr})
			told <- err
		}()
		c, err := l.Accept() // the dial is under way
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Reach.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-told; wire.CodeOf(err) != wire.Closed {
			t.Errorf("%q: %v", tr, err)
		}
		_ = c.Close()
		if _, _, err := a.Path(t.Context(), reach.Want{Peer: b.ID(), Transport: tr, Addrs: []ma.Multiaddr{mute}}); wire.CodeOf(err) != wire.Closed {
			t.Errorf("%q after Close: %v", tr, err)
		}
	}
}

func TestHostTakesOneReach(t *testing.T) {
	a := newNode(t, nil)
	if _, err := reach.New(reach.Config{Host: a.Host}); wire.CodeOf(err) != wire.Taken {
		t.Errorf("%v", err)
	}
}

func TestHostMayBeClosedFirst(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.WS), Transport: reach.WS})
	if err := a.Host.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := a.Path(within(t), reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Transport: reach.TCP}); err == nil {
		t.Error("a path without a host")
	}
}

func TestClosedPathIsPassedOver(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	if got := a.Connected(); len(got) != 1 || got[0] != b.ID() {
		t.Errorf("connected to %s", got)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Live() || len(a.Paths(b.ID())) != 0 || len(a.Connected()) != 0 {
		t.Error("a closed path is listed")
	}
	if q := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)}); q == p {
		t.Error("a closed path was given out")
	}
}

// outgoing is what the resource manager counts as dialled by n.
func outgoing(t *testing.T, n node) (conns int) {
	t.Helper()
	err := n.Network().ResourceManager().ViewSystem(func(s network.ResourceScope) error {
		conns = s.Stat().NumConnsOutbound
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conns
}

func TestAdoptedConnectionsCountAsDialledAndAreGivenBack(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	for i, tr := range everyTransport {
		a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(tr), Transport: tr})
		if got := outgoing(t, a); got != i+1 {
			t.Errorf("%d connections counted after %s, want %d", got, tr, i+1)
		}
	}
	for _, p := range a.Paths(b.ID()) {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := outgoing(t, a); got != 0 {
		t.Errorf("%d connections still counted", got)
	}
}

// limited is a resource manager that allows so many outbound connections, and
// so many streams of the echo protocol with one peer.
func limited(t *testing.T, conns, streams int) libp2p.Option {
	t.Helper()
	cfg := rcmgr.PartialLimitConfig{
		System:              rcmgr.ResourceLimits{ConnsOutbound: rcmgr.LimitVal(conns)},
		ProtocolPeerDefault: rcmgr.ResourceLimits{Streams: rcmgr.LimitVal(streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams)},
	}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(cfg.Build(rcmgr.InfiniteLimits)))
	if err != nil {
		t.Fatal(err)
	}
	return libp2p.ResourceManager(m)
}

func TestLimitsAreNamedAsLimits(t *testing.T) {
	a := newNode(t, nil, limited(t, 1, 2))
	b := newNode(t, everyTransport)
	p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})

	w := reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Transport: reach.TCP}
	if got := fails(t, a, w, wire.Limit); !errors.Is(got[0].Err, network.ErrResourceLimitExceeded) {
		t.Errorf("connection: %v", got[0].Err)
	}
	open(t, p)
	open(t, p)
	if _, err := p.OpenStream(within(t), echoID); wire.CodeOf(err) != wire.Limit || wire.NextOf(err) == "" {
		t.Errorf("stream: %v", err)
	}
}

func TestLimitOfTheFarSideIsNamed(t *testing.T) {
	for _, tr := range []reach.Transport{reach.TCP, reach.QUIC, reach.WS, reach.WebRTC} { // WebTransport carries no codes
		b, c := newNode(t, nil), newNode(t, everyTransport, limited(t, 10, 2))
		p := b.path(t, reach.Want{Peer: c.ID(), Addrs: c.on(tr), Transport: tr})
		say(t, open(t, p), "one")
		say(t, open(t, p), "two")
		s := open(t, p)
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); wire.CodeOf(err) != wire.Limit || wire.NextOf(err) == "" {
			t.Errorf("far side over %s: %v", tr, err)
		}
	}
}
