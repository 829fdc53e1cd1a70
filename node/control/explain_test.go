package control

import (
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// somePeer is the ID of nobody.
const somePeer = "12D3KooWGWvQpCTnVjYhCeTpyJ9SU2jKQTBYBPFwqpZtsHFRWkqA"

func TestPeersAreExplainedByIDAndPrincipal(t *testing.T) {
	_, _, c := serve(t)
	for _, ref := range []string{somePeer, "peer:" + somePeer, "/ip4/127.0.0.1/tcp/1/p2p/" + somePeer, " " + somePeer + " "} {
		e, err := c.Explain(t.Context(), ref, api.DialQuery{Transport: "tcp", Path: "direct-only"})
		if err != nil {
			t.Fatal(err)
		}
		p := e.Peer
		if e.Kind != api.KindPeer || p == nil || p.ID != somePeer || p.Principal != "peer:"+somePeer || e.Connected || !e.Found {
			t.Fatalf("%q: %+v", ref, e)
		}
		if e.Problem == nil || e.Problem.Code != "unreachable" || e.Problem.Detail != "no direct path" || e.Problem.Next != "start it" {
			t.Errorf("problem %+v", e.Problem)
		}
		if len(e.Dials) != 1 || e.Dials[0].Transport != "tcp" || e.Dials[0].Error != "refused" {
			t.Errorf("dials %+v", e.Dials)
		}
		if x := p.Paths[0]; x.Error != "silent" || *x.Circuit.LeftData != 0 || *x.Circuit.LeftTimeMS != 60_000 {
			t.Errorf("path %+v", x)
		}
		if len(p.Here) != 2 || p.Addresses[0].Sources[0] != "overlay" {
			t.Errorf("%+v", p)
		}
	}
}

func TestThisNodeIsExplainedToo(t *testing.T) {
	n, _, c := serve(t)
	e, err := c.Explain(t.Context(), n.id.String(), api.DialQuery{})
	if err != nil || !e.Peer.Self || !e.Connected || e.Problem != nil || e.Peer.Next != "nothing" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestPipesAreStillExplained(t *testing.T) {
	_, _, c := serve(t)
	p := createPipe(t, c, "x")
	for _, ref := range []string{"x", p.ID, "pipe:" + p.ID} {
		if e, err := c.Explain(t.Context(), ref, api.DialQuery{}); err != nil || e.Kind != api.KindPipe || e.Pipe != p.ID || e.Peer != nil {
			t.Errorf("%q: %+v, %v", ref, e, err)
		}
	}
}

func TestAccountsAreExplainedByTheirContactPipe(t *testing.T) {
	_, _, c := serve(t)
	who, err := identity.ParsePrincipal("acct:" + somePeer)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Explain(t.Context(), " "+who.String(), api.DialQuery{})
	if err != nil || e.Kind != api.KindPipe || e.Pipe != pipe.ContactPipe(who).ID().String() {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestDoctorTellsFindingsAndTheWorst(t *testing.T) {
	_, _, c := serve(t)
	d, err := c.Doctor(t.Context())
	if err != nil || d.Worst != "problem" || len(d.Findings) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if f := d.Findings[0]; f.Code != "clock" || f.Severity != "problem" || f.Cause == "" || f.Next != "set it" {
		t.Errorf("%+v", f)
	}
}

func TestNothingIsExaminedWithoutADoctor(t *testing.T) {
	_, _, c := serve(t, func(c *Config) { c.Doctor = nil })
	_, err := c.Doctor(t.Context())
	wantCode(t, err, wire.Unsupported, "does not examine")
	_, err = c.Explain(t.Context(), somePeer, api.DialQuery{})
	wantCode(t, err, wire.Unsupported, "does not examine")
	if st, err := c.Status(t.Context()); err != nil || st.Relays == nil || st.NAT.Mapped == nil {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestStatusTellsWhereTheNodeStands(t *testing.T) {
	_, _, c := serve(t)
	st, err := c.Status(t.Context())
	if err != nil || !st.NAT.Double || st.NAT.Mapped[0] != "10.0.0.1:4001" || st.NAT.Public[0] != "198.51.100.7" || strings.Join(st.Relays, "") != "relay" || st.Circuits != 2 {
		t.Errorf("%+v, %v", st, err)
	}
}
