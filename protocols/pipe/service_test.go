package pipe

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestPipeIsFoundAndDialledByItsIDAlone(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	echo(l)
	if got := l.Status().Holders; got < 4 {
		t.Errorf("%d holders, expected all 4 nodes", got)
	}
	for _, from := range n[1:] {
		c := from.say(t, id, DialOptions{})
		if c.RemotePrincipal() != n[0].principal() {
			t.Errorf("remote principal %s", c.RemotePrincipal())
		}
		if c.RemoteAddr().Network() != "pipe" || c.Pipe() != id {
			t.Errorf("remote address %s %s", c.RemoteAddr().Network(), c.RemoteAddr())
		}
	}
}

func TestLoneNodeIsItsOwnHolderAndDialsItself(t *testing.T) {
	_, n := loopback(t, 1)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	echo(l)
	if got := l.Status().Holders; got != 1 {
		t.Errorf("%d holders, expected 1", got)
	}
	n[0].say(t, id, DialOptions{})
}

func TestUnboundPipeFailsAtOnce(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	_, err := n[1].Resolve(within(t), id, ResolveOptions{})
	wantCode(t, err, wire.Unbound)
	_, err = n[1].Dial(within(t), id, DialOptions{})
	wantCode(t, err, wire.Unbound)
	if wire.NextOf(err) == "" {
		t.Error("the error does not say what to do next")
	}
}

func TestDialWaitsForABinder(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	done := make(chan *Conn, 1)
	go func() {
		c, err := n[1].Dial(within(t), id, DialOptions{Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		done <- c
	}()
	n[1].tally.await(t, EventRequest, 2) // it has asked, and found nobody
	echo(n[0].listen(t, id, ListenOptions{}))
	c := <-done
	if c == nil {
		return
	}
	defer c.Reset()
	converse(t, c)
}

func TestRequiredTransportIsUsedWhateverConnectionExists(t *testing.T) {
	_, n := loopback(t, 3, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0/ws")
	id := n[0].create(t, CreateOptions{})
	echo(n[0].listen(t, id, ListenOptions{}))
	for _, tr := range []reach.Transport{reach.TCP, reach.QUIC, reach.WS} {
		c := n[1].say(t, id, DialOptions{Transport: tr})
		if c.Transport() != tr {
			t.Errorf("transport %s, expected %s", c.Transport(), tr)
		}
	}
}

func TestTransportThatNoBinderOffersIsNamed(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	echo(n[0].listen(t, id, ListenOptions{}))
	for _, o := range []ResolveOptions{{Transport: reach.WS}, {Transport: reach.WS, Fresh: true}} {
		_, err := n[1].Resolve(within(t), id, o)
		wantCode(t, err, wire.Unsupported)
		if got := err.Error(); !strings.Contains(got, "quic-v1") || !strings.Contains(got, "tcp") {
			t.Errorf("error %q does not name what is offered", got)
		}
	}
}

func TestPipeOfOneTransportIsServedOnItAlone(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{Transports: []reach.Transport{reach.QUIC}})
	echo(n[0].listen(t, id, ListenOptions{}))
	r, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	for _, a := range r.Bindings[0].Binding.Endpoints {
		if reach.TransportOf(a) != reach.QUIC {
			t.Errorf("endpoint %s", a)
		}
	}
	if c := n[1].say(t, id, DialOptions{}); c.Transport() != reach.QUIC {
		t.Errorf("transport %s", c.Transport())
	}
}

func TestManyBindersArePinnedSpreadAndPreferred(t *testing.T) {
	_, n := loopback(t, 5)
	id := n[0].create(t, CreateOptions{Binders: Many})
	for _, b := range n[:3] {
		var capability []byte
		if b != n[0] {
			capability = n[0].letBind(t, id, b, 0)
		}
		echo(b.listen(t, id, ListenOptions{Capability: capability}))
	}
	d := n[4]
	for _, b := range n[:3] {
		c := d.say(t, id, DialOptions{Binders: []peer.ID{b.id()}})
		if c.RemotePeer() != b.id() {
			t.Errorf("reached %s, pinned %s", c.RemotePeer(), b.id())
		}
		if again := d.say(t, id, DialOptions{}); again.RemotePeer() != b.id() {
			t.Errorf("reached %s, the last that worked was %s", again.RemotePeer(), b.id())
		}
	}
	reached := make(map[peer.ID]bool)
	for range 60 {
		c := d.say(t, id, DialOptions{Spread: true})
		reached[c.RemotePeer()] = true
		c.Close()
	}
	if len(reached) != 3 {
		t.Errorf("60 spread dials reached %d of 3 binders", len(reached))
	}
}

func TestSecurePipeProvesBothSides(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{Type: TypeSecure})
	l := n[0].listen(t, id, ListenOptions{})
	names := make(chan identity.Principal, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		names <- c.(*Conn).RemotePrincipal()
		io.Copy(c, c)
		c.Close()
	}()
	c := n[1].say(t, id, DialOptions{})
	if got := <-names; got != n[1].principal() {
		t.Errorf("the listener sees %s", got)
	}
	if c.RemotePrincipal() != n[0].principal() {
		t.Errorf("the dialer sees %s", c.RemotePrincipal())
	}
}

func TestQueryToParticularPeersAsksNobodyElse(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	echo(n[0].listen(t, id, ListenOptions{}))
	before := n[3].tally.count(EventQuery)
	r, err := n[1].Resolve(within(t), id, ResolveOptions{Only: []peer.ID{n[2].id()}})
	must(t, err)
	if r.Bindings[0].From != n[2].id() && r.Bindings[0].From != n[1].id() {
		t.Errorf("answer from %s", r.Bindings[0].From)
	}
	if got := n[3].tally.count(EventQuery); got != before {
		t.Errorf("a node that was not named was asked %d times", got-before)
	}
	if r.Asked > 1 {
		t.Errorf("%d nodes asked, expected 1", r.Asked)
	}
}

func TestNoCacheTakesTheBindersOwnWordAlone(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	r, err := n[1].Resolve(within(t), id, ResolveOptions{NoCache: true})
	must(t, err)
	if f := r.Bindings[0]; f.Origin != OriginAuthoritative || f.From != n[0].id() {
		t.Errorf("origin %s from %s", f.Origin, f.From)
	}
	// The binder forgets, the holders do not.
	l.end(net.ErrClosed)
	_, err = n[1].Resolve(within(t), id, ResolveOptions{NoCache: true})
	wantCode(t, err, wire.Unbound)
	_, err = n[1].Resolve(within(t), id, ResolveOptions{Fresh: true})
	must(t, err)
}

func TestClosedListenerIsWithdrawnEverywhere(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	l := n[0].listen(t, id, ListenOptions{})
	_, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	must(t, l.Close())
	must(t, l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept gives %v", err)
	}
	for _, m := range n[2:] {
		_, err := m.Resolve(within(t), id, ResolveOptions{})
		wantCode(t, err, wire.Unbound)
	}
	// A node with the old record in its cache learns it on the dial.
	_, err = n[1].Dial(within(t), id, DialOptions{accepted: true})
	wantCode(t, err, wire.Unbound)
}

func TestCachedResolveNeedsNoNetwork(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	_, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := n[1].Resolve(t.Context(), id, ResolveOptions{}); err != nil {
			t.Error(err)
		}
	})
	if allocs > 2 {
		t.Errorf("%v allocations for each cached resolve", allocs)
	}
}

// grant issues a capability and returns its envelope.
func (n *node) grant(t testing.TB, id ID, o GrantOptions) []byte {
	t.Helper()
	text, _, err := n.Grant(within(t), id, o)
	must(t, err)
	envelope, _, err := identity.ParseCapability(text)
	must(t, err)
	return envelope
}

// letBind grants the right to bind, under a term or, with 0, under the next.
func (n *node) letBind(t testing.TB, id ID, to *node, term uint64) []byte {
	t.Helper()
	return n.grant(t, id, GrantOptions{Right: identity.RightBind, To: to.principal(), Term: term})
}
