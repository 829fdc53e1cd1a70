package hostile

import (
	"context"
	"crypto/rand"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// open sends Open by hand and returns the stream and the reply, nil if none came.
func (p *hand) open(t *testing.T, n *world.Node, m *pb.Open) (network.Stream, *pb.OpenReply) {
	t.Helper()
	st := p.stream(t, n, pipe.ConnProtocol(overlay))
	_, _ = st.Write(framed(m))
	reply := new(pb.OpenReply)
	if wire.ReadMessage(st, reply, pipe.MaxOpenReply) != nil {
		return st, nil
	}
	return st, reply
}

// logOf is the device log of some account with one device.
func logOf(t *testing.T, device peer.ID) *identity.DeviceLog {
	t.Helper()
	root, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l, err := identity.NewLog(root, identity.Device{ID: device, Box: identity.BoxKey{1}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOpenWithNonsenseIsRefused(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		guarded := a.serve(t, a.binder, "guarded", pipe.CreateOptions{DialPolicy: pipe.DialCapability})
		self := identity.Capability{
			Issuer: p.principal(), Subject: p.principal(), Object: guarded.Bytes(), Right: identity.RightDial,
			Expiry: time.Now().Add(time.Hour), Nonce: identity.NewNonce(),
		}
		selfMade, err := self.Sign(p.key)
		if err != nil {
			t.Fatal(err)
		}
		nonce := garbage(pipe.NonceSize)
		own, foreign := logOf(t, p.host.ID()), logOf(t, a.reader.ID())
		as := func(who *identity.DeviceLog, proof []byte) *pb.Open {
			return &pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Principal: who.Account().Bytes(), Proof: proof}
		}
		for name, c := range map[string]struct {
			open *pb.Open
			want wire.Code
		}{
			"nothing":               {&pb.Open{}, wire.BadRequest},
			"a short ID":            {&pb.Open{Pipe: a.pipe.Bytes()[1:], Nonce: nonce}, wire.BadRequest},
			"no nonce":              {&pb.Open{Pipe: a.pipe.Bytes()}, wire.BadRequest},
			"a pipe nobody has":     {&pb.Open{Pipe: p.advertisement(9).ID().Bytes(), Nonce: nonce}, wire.Unbound},
			"another's name":        {&pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Principal: a.reader.Principal().Bytes()}, wire.Forbidden},
			"a name that is none":   {&pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Principal: garbage(20)}, wire.BadRequest},
			"a proof":               {&pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Proof: garbage(20)}, wire.BadRequest},
			"an account, no proof":  {as(own, nil), wire.BadRequest},
			"another's account":     {as(foreign, foreign.Bytes()), wire.Forbidden},
			"another account's log": {as(foreign, own.Bytes()), wire.Forbidden},
			"a log that is cut off": {as(own, own.Bytes()[:len(own.Bytes())-1]), wire.BadRequest},
			"an account of its own": {as(own, own.Bytes()), wire.OK},
			"no capability":         {&pb.Open{Pipe: guarded.Bytes(), Nonce: nonce}, wire.Forbidden},
			"a self-made one":       {&pb.Open{Pipe: guarded.Bytes(), Nonce: nonce, Capability: selfMade}, wire.Forbidden},
			"one that is none":      {&pb.Open{Pipe: guarded.Bytes(), Nonce: nonce, Capability: garbage(100)}, wire.BadRequest},
			"a term of the future":  {&pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Term: 1 << 63}, wire.OK},
			"features of any sort":  {&pb.Open{Pipe: a.pipe.Bytes(), Nonce: nonce, Features: 1<<64 - 1}, wire.OK},
			"a probe with nonsense": {&pb.Open{Pipe: guarded.Bytes(), Nonce: nonce, Probe: true, Capability: garbage(5)}, wire.BadRequest},
		} {
			st, reply := p.open(t, a.binder, c.open)
			if reply == nil || wire.Code(reply.Code) != c.want {
				t.Errorf("open with %s: %v, want %v", name, reply, c.want)
			}
			_ = st.Reset()
		}
		for _, b := range [][]byte{garbage(100), append(uvarint(pipe.MaxOpen+1), garbage(100)...), {0xff, 0xff, 0xff}, {}} {
			st := p.stream(t, a.binder, pipe.ConnProtocol(overlay))
			_, _ = st.Write(b)
			_ = st.CloseWrite()
			if got, _ := io.ReadAll(st); len(got) > 300 {
				t.Errorf("%d bytes for %x", len(got), b[:min(len(b), 8)])
			}
			_ = st.Reset()
		}
	})
}

// places has nodes take few pipe connections.
func places(c *node.Config) { c.Limits.PipeConnections = 64 }

func TestOpenFloodsLeavePlacesToOthers(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		opened := 0
		for range 3 {
			p := a.stranger(t)
			for range 70 {
				_, reply := p.open(t, a.binder, &pb.Open{Pipe: a.pipe.Bytes(), Nonce: garbage(pipe.NonceSize)})
				if reply.GetCode() == 0 {
					opened++ // and kept
				} else if c := wire.Code(reply.Code); c != wire.Limit {
					t.Fatalf("refused with %v", c)
				}
			}
		}
		if opened >= 56 {
			t.Errorf("three strangers have %d of 64 places", opened)
		}
		a.askTrue(t, a.reader)
		// And the binder itself can dial.
		other := a.serve(t, a.victim, "other", pipe.CreateOptions{})
		for range 8 {
			c, err := a.binder.Pipes().Dial(t.Context(), other, pipe.DialOptions{})
			if err != nil {
				t.Fatalf("the binder's own dial: %v", err)
			}
			if err := c.Opened(t.Context()); err != nil {
				t.Fatalf("the binder's own dial: %v", err)
			}
			defer func() { _ = c.Close() }()
		}
	}, places)
}

func TestHandshakesLeftHalfDoneAreDropped(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		secure := a.serve(t, a.binder, "secure", pipe.CreateOptions{Type: pipe.TypeSecure})
		for i := range 80 {
			st, reply := p.open(t, a.binder, &pb.Open{Pipe: secure.Bytes(), Nonce: garbage(pipe.NonceSize)})
			if reply.GetCode() == 0 && i%2 == 0 {
				_, _ = st.Write(framed(&pb.Confirm{Signature: garbage(200)})) // else nothing
			}
		}
		if got, err := ask(t, a.reader, secure); err != nil || got != "secure" {
			t.Errorf("an honest dialer meanwhile: %q, %v", got, err)
		}
		a.Pass(15 * time.Second)
		if use := a.binder.Pipes().Usage(); use.Conns != 0 {
			t.Errorf("%d connections are left", use.Conns)
		}
	})
}

// serveBy has a peer bind a pipe of its own at every node and answer dialers
// as reply says.
func (a *arena) serveBy(t *testing.T, p *hand, adv pipe.Advertisement, reply func(st network.Stream, m *pb.Open)) pipe.ID {
	t.Helper()
	p.host.SetStreamHandler(pipe.ConnProtocol(overlay), func(st network.Stream) {
		defer func() { _ = st.Close() }()
		var m pb.Open
		if wire.ReadMessage(st, &m, pipe.MaxOpen) == nil {
			reply(st, &m)
		}
	})
	for _, n := range a.Live() {
		if got := p.store(t, n, p.binding(adv, func(b *pipe.Binding) { b.Seq = uint64(time.Now().UnixMilli()) })); got[0] != wire.OK {
			t.Fatalf("node %d: %v", n.Index, got)
		}
	}
	return adv.ID()
}

func TestBindersThatAnswerNonsenseFailTheDialAlone(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		replying := func(r *pb.OpenReply) func(network.Stream, *pb.Open) {
			return func(st network.Stream, _ *pb.Open) { _, _ = st.Write(framed(r)) }
		}
		held := a.trueRecord(t)
		for name, reply := range map[string]func(network.Stream, *pb.Open){
			"garbage":             func(st network.Stream, _ *pb.Open) { _, _ = st.Write(garbage(5000)) },
			"nothing":             func(network.Stream, *pb.Open) {},
			"a reset":             func(st network.Stream, _ *pb.Open) { _ = st.Reset() },
			"silence":             func(st network.Stream, _ *pb.Open) { rest(st, silence) },
			"drops":               func(st network.Stream, _ *pb.Open) { drip(st, &pb.OpenReply{Reason: "slowly"}) },
			"too much":            func(st network.Stream, _ *pb.Open) { _, _ = st.Write(append(uvarint(1<<40), garbage(9)...)) },
			"an unknown code":     replying(&pb.OpenReply{Code: 4000}),
			"control characters":  replying(&pb.OpenReply{Code: uint32(wire.Busy), Reason: "\x1b[2J\x00\x07 \u202e"}),
			"moved to nowhere":    replying(&pb.OpenReply{Code: uint32(wire.Moved)}),
			"moved to garbage":    replying(&pb.OpenReply{Code: uint32(wire.Moved), Moved: garbage(500)}),
			"moved to another's":  replying(&pb.OpenReply{Code: uint32(wire.Moved), Moved: held}),
			"moved to itself":     replying(&pb.OpenReply{Code: uint32(wire.Moved), Moved: p.binding(p.advertisement(1), func(b *pipe.Binding) { b.Seq, b.Term = pipe.MaxNumber, pipe.MaxNumber })}),
			"another's principal": replying(&pb.OpenReply{Principal: a.binder.Principal().Bytes()}),
			"an account's proof":  replying(&pb.OpenReply{Proof: garbage(100)}),
		} {
			id := a.serveBy(t, p, p.advertisement(1), reply)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			began := time.Now()
			c, err := a.victim.Pipes().Dial(ctx, id, pipe.DialOptions{})
			if err == nil {
				err = c.Opened(ctx)
				_ = c.Close()
			}
			cancel()
			if took := time.Since(began); err == nil || took > time.Minute {
				t.Errorf("%s: %v after %v", name, err, took)
			}
			a.askTrue(t, a.victim)
		}
	})
}

func TestMovesInACircleEnd(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		owner, other := a.stranger(t), a.stranger(t)
		adv := owner.advertisement(1)
		// Each names the other under a term of its own making, without end.
		var term atomic.Uint64
		var hops atomic.Int32
		term.Store(1)
		byOther := func() []byte {
			n := term.Add(1)
			return other.withRight(t, owner, adv, n, n)
		}
		byOwner := func() []byte {
			n := term.Add(1)
			return owner.binding(adv, func(b *pipe.Binding) { b.Term, b.Seq = n, uint64(time.Now().UnixMilli())+n })
		}
		id := a.serveBy(t, owner, adv, func(st network.Stream, _ *pb.Open) {
			hops.Add(1)
			_, _ = st.Write(framed(&pb.OpenReply{Code: uint32(wire.Moved), Moved: byOther()}))
		})
		other.host.SetStreamHandler(pipe.ConnProtocol(overlay), func(st network.Stream) {
			defer func() { _ = st.Close() }()
			hops.Add(1)
			_, _ = st.Write(framed(&pb.OpenReply{Code: uint32(wire.Moved), Moved: byOwner()}))
		})
		began := time.Now()
		if got, err := ask(t, a.victim, id); err == nil {
			t.Errorf("answered %q", got)
		}
		if took, n := time.Since(began), hops.Load(); took > time.Minute || n > 12 {
			t.Errorf("%d hops in %v", n, took)
		}
		// Waiting for a binder, the dial must not spin either.
		hops.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		c, err := a.victim.Pipes().Dial(ctx, id, pipe.DialOptions{Wait: 30 * time.Second})
		if err == nil {
			err = c.Opened(ctx)
			_ = c.Close()
		}
		if n := hops.Load(); err == nil || n > 150 {
			t.Errorf("%d hops in 30 s, %v", n, err)
		}
	})
}
