package gateway

import (
	"io"
	"testing"
)

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
