package reach_test

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestWatchTellsOfBetterPaths(t *testing.T) {
	a := newNode(t, nil)
	b, via := relayed(t, reach.QUIC, reach.TCP)
	news := a.Watch(t.Context(), reach.Want{Peer: b.ID(), AllowRelay: true})
	circuit := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{via}, Transport: reach.Relay})
	if got := <-news; got != circuit {
		t.Fatalf("told of %v, want the relayed path", got)
	}
	direct := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC), Only: true})
	if got := <-news; got != direct {
		t.Fatalf("told of %v, want the direct path", got)
	}
	second := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Transport: reach.TCP})
	select {
	case got := <-news:
		t.Errorf("told of %s, which is no better", got.Remote())
	default:
	}
	if err := direct.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-news; got != second {
		t.Errorf("told of %v, want what is left", got.Remote())
	}
	if got := <-a.Watch(t.Context(), reach.Want{Peer: b.ID(), AllowRelay: true}); got != second {
		t.Errorf("a new watch was told of %v", got.Remote())
	}
}

func TestWatchEndsWithItsContextAndTheReach(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, []reach.Transport{reach.QUIC})
	ctx, cancel := contextFor(t, 0)
	defer cancel()
	if _, open := <-a.Watch(ctx, reach.Want{Peer: b.ID()}); open {
		t.Error("told something")
	}
	waiting := a.Watch(t.Context(), reach.Want{Peer: b.ID(), AllowRelay: true})
	if err := a.Reach.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-waiting; open {
		t.Error("told something")
	}
	if _, open := <-a.Watch(t.Context(), reach.Want{Peer: b.ID(), AllowRelay: true}); open {
		t.Error("a closed Reach watches")
	}
}

func TestClosedPathIsNotLiveOnAnyTransport(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	for _, tr := range everyTransport {
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(tr), Transport: tr})
		if !p.Live() {
			t.Errorf("%s: a new path is not live", tr)
		}
		_ = p.Close()
		if p.Live() {
			t.Errorf("%s: live after Close", tr)
		}
	}
}
