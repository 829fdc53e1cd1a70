package pipe

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// hiding is a Router of a node far from every key, which does not know one
// node of the mesh.
type hiding struct {
	*mesh
	hidden peer.ID
}

func (m hiding) Closer(key wire.Key, n int, except ...peer.ID) []peer.AddrInfo {
	return m.mesh.Closer(key, n, append(except, m.hidden)...)
}

func (m hiding) CloserThanSelf(wire.Key) int { return Replication }

func (m hiding) Walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error) {
	for _, p := range m.Closer(key, Replication) {
		asking, cancel := context.WithCancel(ctx)
		_, _ = ask(asking, p)
		cancel()
	}
	return WalkResult{}, ctx.Err()
}

func TestOldBinderIsToldThoughTheAskThatNamedItIsOver(t *testing.T) {
	w, n := loopback(t, 7)
	owner := n[0]
	id := owner.create(t, CreateOptions{})
	first := owner.listen(t, id, ListenOptions{})
	other := w.add(func(c *Config) { c.Router = hiding{c.Router.(*mesh), owner.id()} })
	capability := owner.letBind(t, id, other, 0)
	other.listen(t, id, ListenOptions{Capability: capability})
	if !isClosed(first.Replaced()) {
		t.Error("the bind is done and the old binder does not know")
	}
}

// answerStores makes a node answer every Store with r, and queries with nothing.
func (n *node) answerStores(r *pb.StoreResult) {
	n.host.SetStreamHandler(BindingProtocol("test"), func(st network.Stream) {
		defer st.Close()
		var req pb.Request
		if wire.ReadMessage(st, &req, MaxRequest) != nil {
			return
		}
		a := &pb.Answer{}
		if q := req.GetQuery(); q != nil {
			a.Nonce = q.Nonce
		} else {
			a.Results = []*pb.StoreResult{r}
		}
		_ = wire.WriteMessage(st, a, MaxAnswer)
	})
}

func TestRevokedRecordShownAtRenewalTakesThePipeFromNobody(t *testing.T) {
	_, n := loopback(t, 6)
	owner, revoked, binder := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	low := owner.letBind(t, id, binder, 3)
	high := owner.letBind(t, id, revoked, 5)
	old := revoked.listen(t, id, ListenOptions{Capability: high}).envelope
	must(t, owner.Revoke(within(t), identity.FormatCapability(high)))
	l := binder.listen(t, id, ListenOptions{Capability: low})
	revoked.answerStores(&pb.StoreResult{Code: uint32(wire.Taken), Standing: old})
	l.renewNow()
	binder.tally.await(t, EventRenew, 1)
	shown, err := OpenBinding(old)
	must(t, err)
	if !l.contested(within(t), &obstacle{shown, old}) || isClosed(l.over) {
		t.Errorf("the listener ended: %v", l.failure())
	}
}

// inTurn is a Router of a node far from every key, which asks one node after
// the other, this one first.
type inTurn struct {
	*mesh
	first peer.ID
}

func (m inTurn) CloserThanSelf(wire.Key) int { return Replication }

func (m inTurn) Walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error) {
	all := m.Closer(key, Replication)
	slices.SortStableFunc(all, func(a, b peer.AddrInfo) int {
		switch m.first {
		case a.ID:
			return -1
		case b.ID:
			return 1
		}
		return 0
	})
	for _, p := range all {
		asking, cancel := context.WithCancel(ctx)
		_, _ = ask(asking, p)
		cancel()
	}
	return WalkResult{}, ctx.Err()
}

func TestBindIsNotRefusedByARevokedRecordShownFirst(t *testing.T) {
	w, n := loopback(t, 6)
	owner, revoked := n[0], n[1]
	binder := w.add(func(c *Config) { c.Router = inTurn{c.Router.(*mesh), revoked.id()} })
	id := owner.create(t, CreateOptions{})
	low := owner.letBind(t, id, binder, 3)
	high := owner.letBind(t, id, revoked, 5)
	old := revoked.listen(t, id, ListenOptions{Capability: high}).envelope
	must(t, owner.Revoke(within(t), identity.FormatCapability(high)))
	binder.revoked = newRevokedSet() // it has not heard of that
	revoked.answerStores(&pb.StoreResult{Code: uint32(wire.Taken), Standing: old})
	p, err := owner.memory.PipeByID(within(t), id)
	must(t, err)
	if _, err := binder.Listen(within(t), id, ListenOptions{Advertisement: &p.Advertisement, Capability: low}); err != nil {
		t.Errorf("the capability of who is in the way is revoked: %v", err)
	}
}

func TestBindThatEveryOtherNodeRefusesFails(t *testing.T) {
	_, n := loopback(t, 5)
	for _, other := range n[1:] {
		other.answerStores(&pb.StoreResult{Code: uint32(wire.Limit), Reason: "full"})
	}
	_, err := n[0].Listen(within(t), n[0].create(t, CreateOptions{}), ListenOptions{})
	wantCode(t, err, wire.Limit)
}

func TestAskersThatSendSlowlyHoldNobodyUp(t *testing.T) {
	w, n := loopback(t, 2)
	victim := w.add(func(c *Config) { c.Limits.Requests = 4 })
	must(t, n[0].host.Connect(within(t), victim.info()))
	for range 8 {
		st, err := n[0].host.NewStream(within(t), victim.id(), BindingProtocol("test"))
		must(t, err)
		defer st.Reset()
		_, err = st.Write([]byte{10}) // a length, and no more
		must(t, err)
	}
	id := victim.create(t, CreateOptions{})
	for range 8 {
		if _, err := n[1].query(within(t), victim.info(), id, wants(id, "", nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHolderCannotHaveABinderOfManyToldThatItIsReplaced(t *testing.T) {
	_, n := loopback(t, 4)
	owner, liar, second := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{Binders: Many})
	shown := owner.listen(t, id, ListenOptions{}).envelope
	liar.answerStores(&pb.StoreResult{Displaced: [][]byte{shown}})
	capability := owner.letBind(t, id, second, 0)
	second.listen(t, id, ListenOptions{Capability: capability})
	second.tally.await(t, EventBind, 1) // by then all have been told
	if told := owner.tally.count(EventReplaced); told != 0 || second.tally.count(EventHostile) == 0 {
		t.Errorf("told %d times, %d lies noticed", told, second.tally.count(EventHostile))
	}
}

func TestRevocationsOfOnePipeLeaveRoomForThoseOfOthers(t *testing.T) {
	many := make([][]byte, 3*MaxAnswerRecords)
	for i := range many {
		many[i] = []byte{1, byte(i)}
	}
	one := []byte{2}
	got := inTurns([][][]byte{many, many, {one}, nil}, MaxAnswerRecords)
	if len(got) != MaxAnswerRecords || !slices.ContainsFunc(got, func(e []byte) bool { return bytes.Equal(e, one) }) {
		t.Errorf("%d revocations, that of the other pipe is not among them", len(got))
	}
	seen := make(map[string]bool)
	for _, e := range got {
		if seen[string(e)] {
			t.Fatalf("%x is there twice", e)
		}
		seen[string(e)] = true
	}
	if got := inTurns(nil, MaxAnswerRecords); got != nil {
		t.Errorf("of nothing: %d", len(got))
	}
}
