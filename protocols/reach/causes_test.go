package reach_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestEachAddressHasItsOwnCauseAtTheDeadline dials a closed TCP port beside a
// UDP port that stays silent for longer than the dial may take.
func TestEachAddressHasItsOwnCauseAtTheDeadline(t *testing.T) {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.AddrsFactory(reach.HideAdopted), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	causes := new(reach.Causes)
	if err := causes.Watch(h, nil); err != nil {
		t.Fatal(err)
	}
	a := attach(t, h, reach.Config{Causes: causes, DialTimeout: time.Second})

	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing, _ := manet.FromNetAddr(closed.Addr())
	closed.Close()
	deaf, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	silent, _ := manet.FromNetAddr(deaf.LocalAddr())
	silent = silent.Encapsulate(ma.StringCast("/quic-v1"))

	p, _ := test.RandPeerID()
	attempts := fails(t, a, reach.Want{Peer: p, Addrs: []ma.Multiaddr{silent, refusing}, Explicit: true}, wire.Unreachable)
	if len(attempts) != 2 {
		t.Fatalf("attempts %+v", attempts)
	}
	for _, x := range attempts {
		says, atMost := "no answer", 2*time.Second
		if x.Transport == reach.TCP {
			says, atMost = "nobody listens there", 900*time.Millisecond
		}
		if !strings.Contains(x.Err.Error(), says) || x.Took > atMost {
			t.Errorf("%s: %v after %s, want %q", x.Addr, x.Err, x.Took, says)
		}
	}
}
