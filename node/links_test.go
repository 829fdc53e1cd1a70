package node

import (
	"io"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestLegsAreToldAndCounted(t *testing.T) {
	dialer, id := pair(t, reach.TCP, Limits{}, Limits{})
	ctx := within(t, 30*time.Second)
	legs := dialer.Legs(ctx)
	c, err := dialer.DialPipe(ctx, id, pipe.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := c.(*pipe.Conn)
	if e := <-legs; e.Link.ID() != conn.Link() || !e.Leg.Ended.IsZero() {
		t.Fatalf("first %+v", e.Leg)
	}
	if _, err := io.WriteString(conn, "some words"); err != nil {
		t.Fatal(err)
	}
	for _, p := range dialer.Reach().Paths(conn.RemotePeer()) {
		_ = p.Close()
	}
	if e := <-legs; e.Leg.Ended.IsZero() || e.Leg.End == nil {
		t.Fatalf("then %+v", e.Leg)
	}
	if e := <-legs; !e.Leg.Ended.IsZero() || e.Leg.Pause == 0 {
		t.Fatalf("and then %+v", e.Leg)
	}
	counted := metrics(t, dialer)
	if n := counted["panpipe_link_legs_began_total"]; n != 2 {
		t.Errorf("%v legs began", n)
	}
	if n := counted["panpipe_link_legs_ended_total"]; n != 1 {
		t.Errorf("%v legs ended", n)
	}
	if n := counted["panpipe_link_pause_seconds"]; n != 1 {
		t.Errorf("%v pauses", n)
	}
	if n := counted["panpipe_trunk_legs"]; n != 1 {
		t.Errorf("%v legs on trunks", n)
	}
}

// metrics sums what a node counts, over all labels.
func metrics(t *testing.T, n *Node) map[string]float64 {
	t.Helper()
	families, err := n.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetType().String() {
			case "HISTOGRAM":
				sums[f.GetName()] += float64(m.GetHistogram().GetSampleCount())
			case "GAUGE":
				sums[f.GetName()] += m.GetGauge().GetValue()
			default:
				sums[f.GetName()] += m.GetCounter().GetValue()
			}
		}
	}
	return sums
}
