package control

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// linkConn is a connection whose link the test makes up.
type linkConn struct {
	fakeConn
	id      link.ID
	legs    []link.Leg
	waiting time.Time
}

func (c *linkConn) Link() link.ID           { return c.id }
func (c *linkConn) Legs() ([]link.Leg, int) { return c.legs, len(c.legs) + 3 }
func (c *linkConn) Waiting() time.Time      { return c.waiting }

func TestConnectionsTellTheirPathsAndWhenTheyChange(t *testing.T) {
	g := newRegistry(newHub(1))
	n := newFakeNode(t)
	near, far, err := connPair(n, pipe.ID{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	began := time.Now()
	first := link.Leg{
		Transport: reach.QUIC, Remote: ma.StringCast("/ip4/1.2.3.4/udp/5/quic-v1"), Direct: true, Began: began, Why: link.WhyOpened,
	}
	c := &linkConn{fakeConn: near.(fakeConn), id: link.ID{1}, legs: []link.Leg{first}}
	if _, err := g.add(c, false); err != nil {
		t.Fatal(err)
	}
	g.legChanged(link.ID{9}, first) // another's

	c.waiting = began.Add(time.Second)
	c.legs[0].Ended, c.legs[0].End = c.waiting, wire.Errorf(wire.Unreachable, "cut")
	g.legChanged(c.id, c.legs[0])

	c.waiting = time.Time{}
	c.legs = append(c.legs, link.Leg{
		Transport: reach.Relay, Began: began, Why: link.WhyLost, Pause: 1500 * time.Microsecond, BytesIn: 1, BytesOut: 20, Replayed: 3, Own: true,
	})
	g.legChanged(c.id, c.legs[1])

	events, _ := g.hub.after(1) // which was connection-opened
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if len(kinds) != 2 || kinds[0] != api.EventConnectionWaiting || kinds[1] != api.EventConnectionMoved {
		t.Fatalf("events %v", kinds)
	}
	if at := events[0].Connection.ReconnectingSince; at == nil || !at.Equal(began.Add(time.Second)) {
		t.Errorf("reconnecting since %v", at)
	}
	now := events[1].Connection
	if now.ReconnectingSince != nil || now.LegCount != 5 || len(now.Legs) != 2 {
		t.Fatalf("%+v", now)
	}
	old, leg := now.Legs[0], now.Legs[1]
	if old.Cause != "unreachable" || old.Detail != "cut" || old.Ended == nil || old.Endpoint != "/ip4/1.2.3.4/udp/5/quic-v1" || old.Path != "direct" {
		t.Errorf("the first leg: %+v", old)
	}
	if leg.Ended != nil || leg.Path != "relay" || leg.PauseMS != 1.5 || leg.Sent != 20 || leg.Received != 1 || leg.Replayed != 3 || !leg.Own || leg.Why != link.WhyLost {
		t.Errorf("the second leg: %+v", leg)
	}
	if live := g.live(""); len(live) != 1 || len(g.live("another")) != 0 {
		t.Errorf("live: %+v", live)
	}
}
