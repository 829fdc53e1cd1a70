package gateway

import (
	"io"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestItIsAwaitedWhetherAForwardLeadsAnywhere(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	unserved := nodes[0].createOpen(t, "unserved")
	for id, code := range map[string]wire.Code{s.Pipe.String(): wire.OK, unserved.String(): wire.Unbound} {
		st, err := nodes[1].Add(t.Context(), Rule{Kind: Forward, Listen: "127.0.0.1:0", Pipe: id})
		must(t, err)
		if got := wire.CodeOf(st.Unbound); got != wire.NotReady && got != code {
			t.Errorf("at first it leads nowhere as %s: %v", got, st.Unbound)
		}
		st, err = nodes[1].Await(t.Context(), st.Rule.ID)
		if got := wire.CodeOf(st.Unbound); err != nil || got != code || st.State != Up {
			t.Errorf("it leads nowhere as %s, want %s: %v, %v", got, code, st.Unbound, err)
		}
	}
	st, err := nodes[0].Await(t.Context(), "web") // there is nothing to wait for
	if err != nil || st.State != Up {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := nodes[1].Await(t.Context(), "nothing"); wire.CodeOf(err) != wire.Unknown {
		t.Errorf("awaited: %v", err)
	}
}

func TestClientsReachAServiceThroughAPipe(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	addr := nodes[1].forward(t, s)
	for range 3 {
		c := dial(t, addr)
		converse(t, c, 100)
		converse(t, c, 1<<20)
		must(t, c.CloseWrite())
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Errorf("%d bytes behind the end, %v", len(rest), err)
		}
	}
	for _, n := range nodes {
		n.heard.await(t, 3, kind(EventClosed))
		s := n.Rules()[0]
		if s.Channels != 0 || s.Opened != 3 || s.In != 3*(100+1<<20) || s.Out != s.In || len(s.Refused) != 0 {
			t.Errorf("%+v", s)
		}
	}
}
