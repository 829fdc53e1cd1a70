package link_test

import (
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

const rtt = 50 * time.Millisecond

// inVirtualTime runs a test with two nodes, far apart on a virtual network of
// QUIC, and a path between them.
func inVirtualTime(t *testing.T, f func(t *testing.T, a, b *node, p reach.Path)) {
	synctest.Test(t, func(t *testing.T) {
		sim := &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: func(*simnet.Packet) time.Duration { return rtt / 2 }}
		sim.Start()
		t.Cleanup(func() {
			sim.Close()
			synctest.Wait()
		})
		at := func(ip string) *node {
			line := simnet.LinkSettings{BitsPerSecond: 1000 * simlibp2p.OneMbps}
			return newNode(t, link.Config{}, libp2p.ListenAddrStrings("/ip4/"+ip+"/udp/8000/quic-v1"),
				simlibp2p.QUICSimnet(sim, simnet.NodeBiDiLinkSettings{Downlink: line, Uplink: line}))
		}
		a, b := at("1.0.0.1"), at("1.0.0.2")
		p := path(t, a, b, reach.Any)
		time.Sleep(time.Second) // identify is over
		f(t, a, b, p)
	})
}

const (
	bulkPiece = 16 << 10
	bulkPace  = 5 * time.Millisecond
)

// TestBulkGetsACarrierOfItsOwnWithoutAPause: what the far side sends at a pace
// comes at that pace while the link changes carriers.
func TestBulkGetsACarrierOfItsOwnWithoutAPause(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		came := serve(b)
		small, _ := open(t, a, p, came)
		near, far := open(t, a, p, came)
		go func() {
			for range 4 * time.Second / bulkPace {
				if _, err := far.Write(make([]byte, bulkPiece)); err != nil {
					t.Error(err)
				}
				time.Sleep(bulkPace)
			}
			far.Close()
		}()
		start, last, longest := time.Now(), time.Time{}, time.Duration(0)
		for buf := make([]byte, bulkPiece); ; {
			if _, err := io.ReadFull(near, buf); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if now.Sub(start) > time.Second { // windows have grown
				longest = max(longest, now.Sub(last))
			}
			last = now
		}
		if longest > bulkPace+time.Millisecond {
			t.Errorf("a pause of %s", longest)
		}
		if legs, n := near.Legs(); n != 2 || legs[1].Why != link.WhyBulk || !legs[1].Own {
			t.Errorf("%d legs: %+v", n, legs)
		}
		if legs, n := small.Legs(); n != 1 || legs[0].Own {
			t.Errorf("of the link that did nothing, %d legs: %+v", n, legs)
		}
	})
}

// TestBulkAloneStaysWhereItIs: nobody is in its way.
func TestBulkAloneStaysWhereItIs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		near, far := open(t, a, p, serve(b))
		go func() {
			_, _ = near.Write(make([]byte, 32<<20))
			near.Close()
		}()
		if n, err := io.Copy(io.Discard, far); n != 32<<20 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if _, n := near.Legs(); n != 1 {
			t.Errorf("%d legs", n)
		}
		far.Close()
	})
}
