package reach

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"
)

func TestOnlySlowAddressesAreLeft(t *testing.T) {
	tcp, rtc := ma.StringCast("/ip4/10.0.0.1/tcp/1"), ma.StringCast("/ip4/1.2.3.4/udp/1/webrtc-direct")
	near, far := ma.StringCast("/ip4/10.0.0.1/udp/1/quic-v1"), ma.StringCast("/ip4/1.2.3.4/udp/1/quic-v1")
	for _, tc := range []struct {
		name         string
		failed, left []ma.Multiaddr
		want         bool
	}{
		{"nothing has failed", nil, []ma.Multiaddr{near}, false},
		{"WebRTC and near QUIC are left", []ma.Multiaddr{tcp}, []ma.Multiaddr{near, rtc}, true},
		{"TCP is left", []ma.Multiaddr{near}, []ma.Multiaddr{tcp}, false},
		{"WebSocket is left out, being on the port of TCP", []ma.Multiaddr{tcp}, []ma.Multiaddr{tcp.Encapsulate(ma.StringCast("/ws")), near}, true},
		{"public QUIC is left, which may not have begun", []ma.Multiaddr{tcp}, []ma.Multiaddr{far}, false},
	} {
		var cs Causes
		start := time.Now()
		for _, a := range tc.failed {
			cs.note(a, errors.New("refused"))
		}
		if got := cs.onlySlow("p", append(tc.failed, tc.left...), start); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestCauseOfAnotherPeerOrTimeIsNotTaken(t *testing.T) {
	var cs Causes
	a := ma.StringCast("/ip4/10.0.0.1/tcp/1")
	start := time.Now()
	cs.note(a, sec.ErrPeerIDMismatch{Expected: "q", Actual: "r"})
	if _, ok := cs.since("p", a, start); ok {
		t.Error("whoever answered was not who another dial expected")
	}
	if _, ok := cs.since("q", a, start); !ok {
		t.Error("the cause is lost")
	}
	if _, ok := cs.since("q", a, time.Now().Add(time.Second)); ok {
		t.Error("an earlier dial's cause is taken")
	}
}
