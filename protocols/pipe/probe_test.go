package pipe

import (
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestExplainHandsNothingToWhoAccepts(t *testing.T) {
	for _, kind := range []Type{TypeUnicast, TypeSecure} {
		t.Run(kind.String(), func(t *testing.T) {
			_, n := loopback(t, 3)
			id := n[0].create(t, CreateOptions{Type: kind})
			l := n[0].listen(t, id, ListenOptions{})
			for _, from := range []*node{n[1], n[0]} { // over a path, and within the node
				if e := from.Explain(within(t), id, DialOptions{}); !e.Accepted || e.Code != "ok" {
					t.Fatalf("explanation %+v", e)
				}
			}
			n[0].tally.await(t, EventAccept, 2)
			if waiting := len(l.incoming); waiting != 0 {
				t.Errorf("%d connections wait to be accepted", waiting)
			}
			echo(l)
			n[1].say(t, id, DialOptions{}) // the first one accepted is a real one
		})
	}
}

func TestProbeIsJudgedAsAnyDialer(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{DialPolicy: DialListed})
	n[0].listen(t, id, ListenOptions{Allow: []identity.Principal{n[1].principal()}})
	if e := n[1].Explain(within(t), id, DialOptions{}); !e.Accepted {
		t.Errorf("the listed: %+v", e)
	}
	e := n[2].Explain(within(t), id, DialOptions{})
	if e.Accepted || e.Code != "forbidden" {
		t.Errorf("a stranger: %+v", e)
	}
	for _, want := range []string{id.String(), n[2].principal().String()} {
		if !strings.Contains(e.Suggestion, want) {
			t.Errorf("suggestion %q lacks %s", e.Suggestion, want)
		}
	}
	if got := strings.Count(e.Error, "is not on the binder's list"); got != 1 {
		t.Errorf("the reason is told %d times: %s", got, e.Error)
	}
}

func TestExplainCountsTheNodesItAskedAndNamesWhoServes(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	e := n[1].Explain(within(t), id, DialOptions{})
	if e.Asked == 0 || !strings.Contains(e.Error, "(nodes asked: 3)") || e.Asked != 3 {
		t.Errorf("%d nodes asked: %s", e.Asked, e.Error)
	}
	n[0].listen(t, id, ListenOptions{})
	// What this node holds itself does not spare the question.
	if e = n[1].Explain(within(t), id, DialOptions{}); e.Asked == 0 || !e.Accepted {
		t.Errorf("explanation %+v", e)
	}
	e = n[1].Explain(within(t), id, DialOptions{Binders: []peer.ID{n[2].id()}})
	if e.Accepted || e.Code != "unbound" || !strings.Contains(e.Error, n[2].id().String()) ||
		!strings.Contains(e.Error, n[0].principal().String()) {
		t.Errorf("explanation of another binder %+v", e)
	}
}

func TestRefusedDialSaysTheReasonOnceAndWhatToDo(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{DialPolicy: DialCapability})
	n[0].listen(t, id, ListenOptions{})
	err := n[1].opened(t, id, DialOptions{})
	wantCode(t, err, wire.Forbidden)
	if got := strings.Count(err.Error(), "wants a capability"); got != 1 {
		t.Errorf("the reason is told %d times: %s", got, err)
	}
	next := wire.NextOf(err)
	if !strings.Contains(next, id.String()) || !strings.Contains(next, n[1].principal().String()) {
		t.Errorf("advice %q", next)
	}
}

func TestLostConnectionDoesNotTellTheListenerToDial(t *testing.T) {
	a, b := pair(t)
	must(t, a.Opened(within(t)))
	a.Reset()
	_, err := b.Read(make([]byte, 1))
	wantCode(t, err, wire.Gone)
	if next := wire.NextOf(err); next != "" {
		t.Errorf("advice to who listens: %q", next)
	}
}

func TestWhatCannotBeServedOrIsNoNameIsNotCreated(t *testing.T) {
	_, n := loopback(t, 1, "/ip4/127.0.0.1/tcp/0")
	if _, err := n[0].Create(within(t), "p", CreateOptions{Type: TypePropagate}); wire.CodeOf(err) != wire.Unsupported || wire.NextOf(err) == "" {
		t.Errorf("a propagate pipe: %v", err)
	}
	for _, name := range []string{n[0].id().String(), n[0].principal().String(), "peer:x", "acct:x"} {
		if _, err := n[0].Create(within(t), name, CreateOptions{}); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
