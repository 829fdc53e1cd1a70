package reach_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestPingMeasuresAPath(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, ipA, reach.Config{}), c.node(t, ipB, reach.Config{})
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		time.Sleep(time.Second)
		before := p.Received()
		if took, err := p.Ping(t.Context(), 2); err != nil || took < rtt || took > rtt+rtt/10 {
			t.Errorf("%v, %v, want a round trip", took, err)
		}
		if p.Received() <= before {
			t.Error("the answer is not counted")
		}

		b.RemoveStreamHandler(ping.ID)
		if _, err := p.Ping(t.Context(), 1); wire.CodeOf(err) != wire.Unsupported {
			t.Errorf("of one that does not speak it: %v", err)
		}
		time.Sleep(time.Second)
		c.dropping(between(ipA, ipB))
		before = p.Received()
		ctx, cancel := contextFor(t, 3*time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := p.Ping(ctx, 2); wire.CodeOf(err) != wire.Timeout || time.Since(begun) != 3*time.Second {
			t.Errorf("in silence: %v after %v", err, time.Since(begun))
		}
		if p.Received() != before {
			t.Error("something came in silence")
		}
	})
}
