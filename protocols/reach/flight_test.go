package reach

import (
	"context"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// bareReach is a Reach on a host that does not listen.
func bareReach(t *testing.T) *Reach {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.AddrsFactory(HideAdopted), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = h.Close()
	})
	return r
}

// silentAddr is the address of a TCP listener that accepts nobody.
func silentAddr(t *testing.T) ma.Multiaddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFlightThatItsLastWaiterLeftIsNotBoarded(t *testing.T) {
	r := bareReach(t)
	w := Want{Peer: test.RandPeerIDFatal(t), Transport: TCP}
	addrs := []ma.Multiaddr{silentAddr(t)}
	first, _ := r.board(w, addrs)
	if shared, _ := r.board(w, addrs); shared != first {
		t.Fatal("callers for one peer and transport do not share a flight")
	}
	if r.leave(first) || !r.leave(first) {
		t.Fatal("the second of two waiters is the last")
	}
	second, _ := r.board(w, addrs) // before the first is stopped, or noticed that it was
	if second == first {
		t.Fatal("boarded a flight that is being stopped")
	}
	first.stop(context.Canceled)
	<-first.done
	if third, _ := r.board(w, addrs); third != second {
		t.Error("the end of the first flight took the second off the books")
	}
	second.stop(context.Canceled)
	<-second.done
}
