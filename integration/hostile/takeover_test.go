package hostile

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestStrangersTakeNoPipeByTheHighestNumbers(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		adv := a.advertisement(t)
		highest := func(b *pipe.Binding) { b.Term, b.Seq, b.Life = pipe.MaxNumber, pipe.MaxNumber, pipe.MaxLife }
		for _, n := range a.Nodes {
			for _, e := range [][]byte{
				p.binding(adv, highest),
				seal(p.key, identity.DomainBinding, highestOf(t, a, highest)),
			} {
				if got := p.store(t, n, e); slices.Contains(got, wire.OK) {
					t.Errorf("node %d holds a stranger's binding", n.Index)
				}
			}
		}
	})
}

// highestOf is the body of the true binder's record with other numbers.
func highestOf(t *testing.T, a *arena, change func(*pipe.Binding)) []byte {
	t.Helper()
	b, err := pipe.OpenBinding(a.trueRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	change(&b)
	return b.Bytes()
}

func TestForgedReplacedStopsNoBinder(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		adv := a.advertisement(t)
		for name, envelope := range map[string][]byte{
			"nothing":            nil,
			"garbage":            garbage(300),
			"another pipe":       p.binding(p.advertisement(1), func(b *pipe.Binding) { b.Term = pipe.MaxNumber }),
			"a stranger's":       p.binding(adv, func(b *pipe.Binding) { b.Term = pipe.MaxNumber }),
			"its own record":     a.trueRecord(t),
			"its own, forged":    flipped(a.trueRecord(t)),
			"a capability":       seal(p.key, identity.DomainCapability, garbage(50)),
			"a self-made right":  p.withRight(t, p, adv, pipe.MaxNumber, pipe.MaxNumber),
			"its own, truncated": truncated(a.trueRecord(t)),
		} {
			got := p.request(t, a.binder, &pb.Request{Op: &pb.Request_Replaced{Replaced: &pb.Replaced{Binding: envelope}}})
			if another := name == "another pipe"; got == nil || (got.Code == 0) != another {
				t.Errorf("%s: %v", name, got)
			}
		}
		if l := a.binder.Pipes().Listeners(); len(l) != 1 || l[0].Status().Replaced {
			t.Error("the binder serves no more")
		}
	})
}

// withRight binds by a capability that another peer signs.
func (p *hand) withRight(t *testing.T, by *hand, adv pipe.Advertisement, term, seq uint64) []byte {
	t.Helper()
	c := identity.Capability{
		Issuer: by.principal(), Subject: p.principal(), Object: adv.ID().Bytes(), Right: identity.RightBind,
		Term: term, Expiry: time.Now().Add(time.Hour), Nonce: identity.NewNonce(),
	}
	envelope, err := c.Sign(by.key)
	if err != nil {
		t.Fatal(err)
	}
	return p.binding(adv, func(b *pipe.Binding) { b.Capability, b.Term, b.Seq = envelope, term, seq })
}

// grant lets a peer bind a pipe of a node's, and returns the capability's text
// and envelope.
func grant(t *testing.T, owner *world.Node, id pipe.ID, to *hand, term uint64) (text string, envelope []byte) {
	t.Helper()
	text, _, err := owner.Pipes().Grant(t.Context(), id, pipe.GrantOptions{Right: identity.RightBind, To: to.principal(), Term: term})
	if err != nil {
		t.Fatal(err)
	}
	if envelope, _, err = identity.ParseCapability(text); err != nil {
		t.Fatal(err)
	}
	return text, envelope
}

// capture has a peer bind a pipe of a node's everywhere, at the highest seq and
// for as long as can be.
func (a *arena) capture(t *testing.T, p *hand, id pipe.ID, owner *world.Node, capability []byte, term uint64) {
	t.Helper()
	_, adv, err := owner.Pipes().Lookup(t.Context(), id.String())
	if err != nil {
		t.Fatal(err)
	}
	e := p.binding(*adv, func(b *pipe.Binding) {
		b.Capability, b.Term, b.Seq, b.Life = capability, term, pipe.MaxNumber, pipe.MaxLife
	})
	for _, n := range a.Nodes {
		if got := p.store(t, n, e); !slices.Equal(got, []wire.Code{wire.OK}) {
			t.Fatalf("node %d: %v", n.Index, got)
		}
	}
}

func TestOwnerTakesAPipeBackFromABinderAtTheHighestSeq(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		owner, p := a.Nodes[4], a.stranger(t)
		id := a.serve(t, owner, "owner", pipe.CreateOptions{})
		_, capability := grant(t, owner, id, p, 0)
		c, err := identity.OpenCapability(capability)
		if err != nil {
			t.Fatal(err)
		}
		a.capture(t, p, id, owner, capability, c.Term)
		a.Pass(10 * time.Second)
		l, err := owner.Pipes().Listen(t.Context(), id, pipe.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a.answer(l, "owner again")
		a.wantAnswer(t, id, "owner again")
	})
}

func TestOwnerTakesAPipeBackFromABinderAtTheHighestTerm(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		owner, p := a.Nodes[4], a.stranger(t)
		id := a.serve(t, owner, "owner", pipe.CreateOptions{})
		text, capability := grant(t, owner, id, p, pipe.MaxNumber)
		a.capture(t, p, id, owner, capability, pipe.MaxNumber)
		a.Pass(10 * time.Second)
		if _, err := owner.Pipes().Listen(t.Context(), id, pipe.ListenOptions{}); err == nil || wire.NextOf(err) == "" {
			t.Errorf("bound above the highest term: %v, next %q", err, wire.NextOf(err))
		}
		if err := owner.Pipes().Revoke(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		a.Pass(10 * time.Second)
		l, err := owner.Pipes().Listen(t.Context(), id, pipe.ListenOptions{})
		if err != nil {
			t.Fatalf("after the revocation: %v", err)
		}
		a.answer(l, "owner again")
		a.wantAnswer(t, id, "owner again")
	})
}

// wantAnswer wants the pipe answered by name from every node.
func (a *arena) wantAnswer(t *testing.T, id pipe.ID, name string) {
	t.Helper()
	for _, n := range a.Live() {
		if got, err := ask(t, n, id); err != nil || got != name {
			t.Errorf("node %d is answered %q, %v", n.Index, got, err)
		}
	}
}

func TestForgedRevocationsVoidNothing(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		owner, heir, p := a.Nodes[4], a.Nodes[0], a.stranger(t)
		id := a.serve(t, owner, "owner", pipe.CreateOptions{})
		c := a.bindByGrant(t, owner, heir, id, "heir")
		_, adv, err := owner.Pipes().Lookup(t.Context(), id.String())
		if err != nil {
			t.Fatal(err)
		}
		r := pipe.Revocation{Pipe: id, Advertisement: *adv, Nonce: c.Nonce, Expiry: c.Expiry, Issued: time.Now()}
		r.Issuer = owner.Principal()
		byOwner := seal(p.key, identity.DomainRevocation, r.Bytes())
		r.Issuer = p.principal()
		byStranger := seal(p.key, identity.DomainRevocation, r.Bytes())
		for _, n := range a.Nodes {
			for _, e := range [][]byte{byOwner, byStranger, garbage(200), bytes.Repeat([]byte{1}, pipe.MaxRevocation+1)} {
				s := &pb.Store{Records: []*pb.Record{{Record: &pb.Record_Revocation{Revocation: e}}}}
				got := p.request(t, n, &pb.Request{Op: &pb.Request_Store{Store: s}})
				if got == nil || len(got.Results) != 1 || got.Results[0].Code == 0 {
					t.Errorf("node %d takes a forged revocation: %v", n.Index, got)
				}
			}
		}
		a.wantAnswer(t, id, "heir")
	})
}

// bindByGrant has a node bind another's pipe by its capability, and answer
// under a name.
func (a *arena) bindByGrant(t *testing.T, owner, to *world.Node, id pipe.ID, name string) identity.Capability {
	t.Helper()
	text, c, err := owner.Pipes().Grant(t.Context(), id, pipe.GrantOptions{Right: identity.RightBind, To: to.Principal()})
	if err != nil {
		t.Fatal(err)
	}
	envelope, _, err := identity.ParseCapability(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := to.Pipes().Listen(t.Context(), id, pipe.ListenOptions{Capability: envelope})
	if err != nil {
		t.Fatal(err)
	}
	a.answer(l, name)
	return c
}
