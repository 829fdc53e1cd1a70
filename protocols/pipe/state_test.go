package pipe

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestStateClaimsNoMoreThanWasSeen(t *testing.T) {
	for _, c := range []struct {
		found, connected bool
		probe            error
		want             State
	}{
		{want: StateUnbound, probe: wire.Unbound},
		{want: StateAnnounced, found: true, probe: wire.Unreachable},
		{want: StateAnnounced, found: true, probe: wire.Timeout},
		{want: StateAnnounced, found: true, probe: wire.Moved},
		{want: StateAnnounced, found: true, probe: wire.Unbound},
		{want: StateReachable, found: true},
		{want: StateReachable, found: true, probe: wire.Forbidden},
		{want: StateReachable, found: true, probe: wire.Busy},
		{want: StateConnected, found: true, connected: true},
		{want: StateConnected, connected: true, probe: wire.Unreachable},
	} {
		if got := stateOf(c.found, c.connected, c.probe); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestExplainTellsTheStateAsItIs(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	is := func(want State, path string) {
		t.Helper()
		if e := n[1].Explain(within(t), id, DialOptions{}); e.State != want || e.Path != path {
			t.Errorf("state %s over %q, want %s over %q", e.State, e.Path, want, path)
		}
	}
	is(StateUnbound, "")
	l := n[0].listen(t, id, ListenOptions{})
	is(StateReachable, PathDirect)
	echo(l)
	c, err := n[1].Dial(within(t), id, DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Opened(within(t)); err != nil {
		t.Fatal(err)
	}
	is(StateConnected, PathDirect)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	is(StateReachable, PathDirect)
}
