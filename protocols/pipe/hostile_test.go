package pipe

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// lie makes a node answer every request with what tell says.
func (n *node) lie(tell func(q Query) *pb.Answer) {
	n.host.SetStreamHandler(BindingProtocol("test"), func(st network.Stream) {
		defer st.Close()
		var req pb.Request
		if wire.ReadMessage(st, &req, MaxRequest) != nil {
			return
		}
		q, _ := ParseQuery(req.GetQuery())
		wire.WriteMessage(st, tell(q), MaxAnswer)
	})
}

// answering is an honest-looking answer with these records.
func answering(q Query, envelopes ...[]byte) *pb.Answer {
	a := Answer{Nonce: q.Nonce, Found: true}
	for _, e := range envelopes {
		a.give(e, 0, OriginHeld, nil)
	}
	return a.Message()
}

// binding is a record of n for a pipe of its own.
func (n *node) binding(t *testing.T, id ID, change func(*Binding)) []byte {
	t.Helper()
	p, err := n.memory.PipeByID(within(t), id)
	must(t, err)
	a, err := ma.NewMultiaddr("/ip4/127.0.0.1/tcp/9")
	must(t, err)
	b := Binding{
		Pipe: id, Advertisement: p.Advertisement, Binder: n.principal(), Seq: 1, Term: 1,
		Issued: time.Now(), Life: time.Minute, Endpoints: []ma.Multiaddr{a},
	}
	if p.Advertisement.Binders == Many {
		b.Term = 0
	}
	change(&b)
	envelope, err := b.Sign(n.key)
	must(t, err)
	return envelope
}

func TestHostileAnswersAreIgnoredAndCounted(t *testing.T) {
	_, n := loopback(t, 3)
	victim, liar, owner := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{Binders: Many})
	good := owner.binding(t, id, func(*Binding) {})
	foreign := liar.create(t, CreateOptions{})
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	cases := map[string]func(q Query) *pb.Answer{
		"a record of another pipe": func(q Query) *pb.Answer {
			return answering(q, liar.binding(t, foreign, func(*Binding) {}))
		},
		"a forged signature": func(q Query) *pb.Answer { return answering(q, flipped) },
		"nonsense":           func(q Query) *pb.Answer { return answering(q, []byte("nonsense")) },
		"an expired record": func(q Query) *pb.Answer {
			return answering(q, owner.binding(t, id, func(b *Binding) { b.Issued = time.Now().Add(-time.Hour) }))
		},
		"a record from the future": func(q Query) *pb.Answer {
			return answering(q, owner.binding(t, id, func(b *Binding) { b.Issued = time.Now().Add(time.Hour) }))
		},
		"an answer to another question": func(q Query) *pb.Answer {
			q.Nonce[0] ^= 1
			return answering(q, good)
		},
		"the claim to be the binder": func(q Query) *pb.Answer {
			a := Answer{Nonce: q.Nonce, Found: true}
			a.give(good, 0, OriginAuthoritative, nil)
			return a.Message()
		},
		"a revocation by a stranger": func(q Query) *pb.Answer {
			return &pb.Answer{Nonce: q.Nonce[:], Revocations: [][]byte{good}}
		},
		"the advertisement of another pipe": func(q Query) *pb.Answer {
			p, _ := liar.memory.PipeByID(t.Context(), foreign)
			return &pb.Answer{Nonce: q.Nonce[:], Advertisement: p.Advertisement.Bytes()}
		},
	}
	for name, tell := range cases {
		liar.lie(tell)
		before := victim.tally.count(EventHostile)
		_, err := victim.Resolve(within(t), id, ResolveOptions{Only: []peer.ID{liar.id()}})
		if err == nil {
			t.Errorf("%s is believed", name)
		}
		if got := victim.tally.count(EventHostile) - before; got != 1 {
			t.Errorf("%s is counted %d times", name, got)
		}
	}
	// The same liar may tell the truth: an answer proves itself.
	liar.lie(func(q Query) *pb.Answer { return answering(q, good) })
	r, err := victim.Resolve(within(t), id, ResolveOptions{Only: []peer.ID{liar.id()}})
	must(t, err)
	if r.Bindings[0].From != liar.id() {
		t.Errorf("from %s", r.Bindings[0].From)
	}
}

func TestAnswerFullOfForgeriesIsNotReadToItsEnd(t *testing.T) {
	_, n := loopback(t, 3)
	victim, liar, owner := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{Binders: Many})
	good := owner.binding(t, id, func(*Binding) {})
	var forged [][]byte
	for i := range MaxAnswerRecords {
		e := append([]byte(nil), good...)
		e[len(e)-1-i] ^= 1
		forged = append(forged, e)
	}
	liar.lie(func(q Query) *pb.Answer {
		a := answering(q, forged...)
		a.Revocations = forged
		return a
	})
	_, err := victim.Resolve(within(t), id, ResolveOptions{Only: []peer.ID{liar.id()}})
	wantCode(t, err, wire.Unbound)
	if got := victim.tally.count(EventHostile); got != 2*maxHostile {
		t.Errorf("%d of %d forgeries were verified", got, 2*len(forged))
	}
}

func TestFalseNotFoundEvictsNothing(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	_, err := n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	for _, l := range []*node{n[0], n[2]} {
		l.lie(func(q Query) *pb.Answer { return &pb.Answer{Nonce: q.Nonce[:]} })
	}
	_, err = n[1].Resolve(within(t), id, ResolveOptions{Only: []peer.ID{n[2].id()}, Fresh: true})
	wantCode(t, err, wire.Unbound)
	_, err = n[1].Resolve(within(t), id, ResolveOptions{})
	must(t, err)
}

func TestForgedReplacedAndStandingRecordsChangeNothing(t *testing.T) {
	_, n := loopback(t, 3)
	owner, liar := n[0], n[1]
	id := owner.create(t, CreateOptions{})
	l := owner.listen(t, id, ListenOptions{})
	adv := l.Advertisement()
	// The liar has no right to the pipe: it can only show records of its own pipes,
	// or the owner's own older one.
	foreign := liar.binding(t, liar.create(t, CreateOptions{}), func(b *Binding) { b.Term = 99 })
	own := l.Status().Binding
	old, err := OpenBinding(owner.binding(t, id, func(b *Binding) { b.Term = 1 }))
	must(t, err)
	for name, envelope := range map[string][]byte{"foreign": foreign, "older": signed(t, owner, old)} {
		_, err := liar.request(within(t), owner.info(), &pb.Request{Op: &pb.Request_Replaced{
			Replaced: &pb.Replaced{Binding: envelope},
		}})
		t.Logf("%s: %v", name, err)
		if isClosed(l.Replaced()) || l.Status().Binding.Seq != own.Seq {
			t.Fatalf("%s: the binder gave up", name)
		}
	}
	liar.lie(func(Query) *pb.Answer {
		return Answer{Results: []StoreResult{{Code: wire.Taken, Outcome: Outcome{Standing: foreign}}}}.Message()
	})
	before := owner.tally.count(EventHostile)
	must(t, l.Close())
	again, err := owner.Listen(within(t), id, ListenOptions{Advertisement: &adv})
	must(t, err)
	defer again.Close()
	if owner.tally.count(EventHostile) == before {
		t.Error("the false standing record was not counted")
	}
}

func signed(t *testing.T, n *node, b Binding) []byte {
	t.Helper()
	envelope, err := b.Sign(n.key)
	must(t, err)
	return envelope
}

func TestStrangersStoreNothingInAnothersName(t *testing.T) {
	_, n := loopback(t, 3)
	owner, stranger, holder := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	envelope := owner.binding(t, id, func(*Binding) {})
	b, err := OpenBinding(envelope)
	must(t, err)
	a, err := stranger.store(within(t), holder.info(), id.Key(), []Record{{Binding: &b, Envelope: envelope}})
	must(t, err)
	wantCode(t, a.Results[0].Err(), wire.Forbidden)
	_, err = stranger.Resolve(within(t), id, ResolveOptions{Only: []peer.ID{holder.id()}})
	wantCode(t, err, wire.Unbound)
}

func TestWhoOnlyKnowsTheKeyGetsCloserPeersAlone(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	q := Query{Key: id.Key(), Nonce: identity.NewNonce()}
	for _, to := range []*node{n[0], n[1]} {
		for _, proof := range [][]byte{nil, make([]byte, ProofSize), QueryProof(id, q.Nonce[:], n[2].id(), to.id())} {
			q.Proof = proof
			a, err := n[3].request(within(t), to.info(), q.Message())
			must(t, err)
			if a.Found || len(a.Records) > 0 || len(a.Revocations) > 0 || a.Advertisement != nil {
				t.Errorf("a query without proof is told %+v", a)
			}
			if len(a.Closer) != 2 {
				t.Errorf("%d closer peers, expected 2", len(a.Closer))
			}
		}
	}
}

func TestFarNodeRefusesToHoldAndNamesCloserOnes(t *testing.T) {
	w, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	r := &crowd{mesh: &mesh{world: w}, closer: Replication}
	far := w.add(func(c *Config) { c.Router = r })
	r.self = far.id()
	envelope := n[0].binding(t, id, func(*Binding) {})
	b, err := OpenBinding(envelope)
	must(t, err)
	a, err := n[0].store(within(t), far.info(), id.Key(), []Record{{Binding: &b, Envelope: envelope}})
	must(t, err)
	wantCode(t, a.Results[0].Err(), wire.NotClose)
	if len(a.Closer) == 0 {
		t.Error("no closer peers are named")
	}
}

// crowd is a mesh that claims to know nodes closer to every key.
type crowd struct {
	*mesh
	closer int
}

func (c *crowd) CloserThanSelf(wire.Key) int { return c.closer }

func TestTooManyRequestsAreTurnedAway(t *testing.T) {
	w, n := loopback(t, 1)
	strict := w.add(func(c *Config) { c.Limits = ServiceLimits{RequestRate: 0.001, RequestBurst: 3} })
	id := n[0].create(t, CreateOptions{})
	for i := range 5 {
		_, err := n[0].query(within(t), strict.info(), id, wants(id, "", nil))
		if want := i >= 3; want != (wire.CodeOf(err) == wire.Busy) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if got := strict.tally.count(EventLimited); got != 2 {
		t.Errorf("%d requests counted as turned away", got)
	}
}

func TestUnknownRequestIsUnsupported(t *testing.T) {
	_, n := loopback(t, 2)
	_, err := n[0].request(within(t), n[1].info(), &pb.Request{})
	wantCode(t, err, wire.Unsupported)
}
