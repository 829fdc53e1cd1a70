package pipe

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestQueryProofShowsTheIDToTheAskedNodeAlone(t *testing.T) {
	asker, asked, other := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	id := IDOf([]byte("x"))
	q := Query{Nonce: identity.NewNonce(), Key: id.Key()}
	q.Proof = QueryProof(id, q.Nonce[:], asker.id, asked.id)
	if !q.Proves(id, asker.id, asked.id) {
		t.Fatal("right proof does not prove")
	}
	if q.Proves(IDOf([]byte("y")), asker.id, asked.id) || q.Proves(id, other.id, asked.id) || q.Proves(id, asker.id, other.id) || q.Proves(id, asked.id, asker.id) {
		t.Error("a proof proves more than it says")
	}
	q.Nonce[0]++
	if q.Proves(id, asker.id, asked.id) {
		t.Error("a proof holds for another nonce")
	}
	q.Proof = nil
	if q.Proves(id, asker.id, asked.id) {
		t.Error("no proof proves")
	}
}

func TestQueryIsReadAsItWasSent(t *testing.T) {
	id := IDOf([]byte("x"))
	q := Query{
		Nonce: identity.Nonce{1}, Key: id.Key(), Proof: make([]byte, ProofSize), Transport: reach.QUIC, NoCache: true,
		Only: []peer.ID{newActor(t, 1).id, newActor(t, 2).id}, WantAdvertisement: true,
	}
	raw, err := proto.Marshal(q.Message())
	must(t, err)
	var m pb.Request
	must(t, proto.Unmarshal(raw, &m))
	got, err := ParseQuery(m.GetQuery())
	must(t, err)
	if !reflect.DeepEqual(got, q) {
		t.Errorf("%+v, expected %+v", got, q)
	}
}

func TestMalformedQueriesAreRefused(t *testing.T) {
	many := make([][]byte, MaxOnlyPeers+1)
	for name, c := range map[string]struct {
		code   wire.Code
		change func(*pb.Query)
	}{
		"short nonce":   {wire.BadRequest, func(q *pb.Query) { q.Nonce = q.Nonce[1:] }},
		"short key":     {wire.BadRequest, func(q *pb.Query) { q.Key = q.Key[1:] }},
		"long proof":    {wire.BadRequest, func(q *pb.Query) { q.Proof = make([]byte, 33) }},
		"bad transport": {wire.BadRequest, func(q *pb.Query) { q.Transport = "TCP/IP" }},
		"bad binder":    {wire.BadRequest, func(q *pb.Query) { q.OnlyPeers = [][]byte{{1}} }},
		"many binders":  {wire.TooLarge, func(q *pb.Query) { q.OnlyPeers = many }},
	} {
		m := Query{}.Message().GetQuery()
		c.change(m)
		if _, err := ParseQuery(m); wire.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := ParseQuery(nil)
	wantCode(t, err, wire.BadRequest)
}

func TestQueryWantsItsBindersAndItsTransport(t *testing.T) {
	a, b := newActor(t, 1), newActor(t, 2)
	offers := []reach.Transport{reach.TCP}
	if !(Query{}).Wants(a.who, false, nil) {
		t.Error("a query without wishes does not want all")
	}
	q := Query{Only: []peer.ID{a.id}, Transport: reach.TCP}
	if !q.Wants(a.who, false, offers) || q.Wants(b.who, false, offers) || q.Wants(a.who, false, nil) || !q.Wants(a.who, true, nil) {
		t.Error("wants the wrong records")
	}
}

func TestAnswerIsReadAsItWasSent(t *testing.T) {
	self, other := newActor(t, 1), newActor(t, 2)
	a := Answer{
		Code: wire.Busy, Reason: "later", Nonce: identity.Nonce{1}, Found: true,
		Records: []AnswerRecord{
			{Envelope: []byte("a"), Unproven: []int{0, 2}, Age: 3 * time.Second, Origin: OriginHeld},
			{Envelope: []byte("b"), Origin: OriginAuthoritative},
			{Envelope: []byte("c"), Origin: OriginCached},
		},
		Closer: []peer.AddrInfo{{ID: other.id, Addrs: addrsFor(t, "/ip4/1.2.3.4/tcp/1")}},
		Results: []StoreResult{
			{Outcome: Outcome{Displaced: [][]byte{[]byte("d")}}},
			{Code: wire.Taken, Reason: "no", Outcome: Outcome{Standing: []byte("e")}},
		},
		Revocations: [][]byte{[]byte("f")}, Advertisement: []byte("g"), Clock: recordEpoch, Features: 5,
	}
	raw, err := proto.Marshal(a.Message())
	must(t, err)
	var m pb.Answer
	must(t, proto.Unmarshal(raw, &m))
	got, err := ParseAnswer(&m, self.id)
	must(t, err)
	if !reflect.DeepEqual(got, a) {
		t.Errorf("%+v\nexpected %+v", got, a)
	}
	wantCode(t, got.Err(), wire.Busy)
	must(t, got.Results[0].Err())
	wantCode(t, got.Results[1].Err(), wire.Taken)
}

func TestAnswerNeverExceedsItsCap(t *testing.T) {
	big := bytes.Repeat([]byte{1}, MaxBinding)
	a := Answer{Reason: strings.Repeat("r", 10_000), Advertisement: big}
	for i := range 200 {
		a.Records = append(a.Records, AnswerRecord{Envelope: big})
		a.Revocations = append(a.Revocations, big[:MaxRevocation])
		a.Results = append(a.Results, StoreResult{
			Code: wire.Taken, Reason: strings.Repeat("r", 1000), Outcome: Outcome{Displaced: [][]byte{big}, Standing: big},
		})
		a.Closer = append(a.Closer, peer.AddrInfo{ID: peer.ID(fmt.Sprint(i)), Addrs: addrsFor(t, "/ip4/1.2.3.4/tcp/1")})
	}
	m := a.Message()
	if n := proto.Size(m); n > MaxAnswer || n < MaxAnswer-MaxBinding {
		t.Errorf("%d bytes", n)
	}
	if len(m.GetRecords()) == 0 || len(m.GetCloser()) != MaxCloser || len(m.GetResults()) != MaxStoreRecords {
		t.Errorf("%d records, %d closer, %d results", len(m.GetRecords()), len(m.GetCloser()), len(m.GetResults()))
	}
}

func TestNonsenseInAnAnswerIsLeftOut(t *testing.T) {
	self, other := newActor(t, 1), newActor(t, 2)
	addr := addrsFor(t, "/ip4/1.2.3.4/tcp/1")[0].Bytes()
	m := &pb.Answer{
		Code: 4711, Reason: "\x1b[31mred\n", ClockMs: 1 << 62,
		Closer: []*pb.Peer{
			nil, {}, {Id: []byte("x"), Addrs: [][]byte{addr}}, {Id: []byte(self.id), Addrs: [][]byte{addr}},
			{Id: []byte(other.id)}, {Id: []byte(other.id), Addrs: [][]byte{{}, {1}, bytes.Repeat(addr, 100), addr}},
			{Id: []byte(other.id), Addrs: [][]byte{addr}},
		},
		Records: []*pb.HeldRecord{
			nil, {}, {Envelope: make([]byte, MaxBinding+1)},
			{Envelope: []byte("e"), Unproven: []uint32{3, 3, 1, 9, 1 << 31}, Origin: 99},
		},
		Revocations: [][]byte{nil, make([]byte, MaxRevocation+1)}, Advertisement: make([]byte, MaxAdvertisement+1),
		Results: []*pb.StoreResult{nil},
	}
	for range 10_000 {
		m.Closer = append(m.Closer, &pb.Peer{Id: []byte("bogus")})
		m.Records = append(m.Records, &pb.HeldRecord{})
	}
	a, err := ParseAnswer(m, self.id)
	must(t, err)
	want := Answer{
		Code: wire.Internal, Reason: "[31mred",
		Closer:  []peer.AddrInfo{{ID: other.id, Addrs: addrsFor(t, "/ip4/1.2.3.4/tcp/1")}},
		Records: []AnswerRecord{{Envelope: []byte("e"), Unproven: []int{3}, Origin: OriginCached}},
		Results: []StoreResult{{}},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("%+v\nexpected %+v", a, want)
	}
	_, err = ParseAnswer(&pb.Answer{Nonce: []byte{1}}, self.id)
	wantCode(t, err, wire.BadRequest)
}

func TestPeersLoseTheirOwnSuffixAndWhatIsAboveTheCaps(t *testing.T) {
	a, relay := newActor(t, 1), newActor(t, 2)
	p := peer.AddrInfo{ID: a.id, Addrs: addrsFor(t,
		"/ip4/1.2.3.4/tcp/1/p2p/"+a.id.String(), "/ip4/1.2.3.4/tcp/2/p2p/"+relay.id.String(), "/p2p/"+a.id.String(),
		"/ip4/1.2.3.4/tcp/3/p2p/"+relay.id.String()+"/p2p-circuit")}
	for i := range 20 {
		p.Addrs = append(p.Addrs, addrsFor(t, fmt.Sprintf("/ip4/1.2.3.4/tcp/%d", 100+i))...)
	}
	got := PeersFromPB(PeersToPB([]peer.AddrInfo{{}, {ID: relay.id}, p}))
	if len(got) != 1 || got[0].ID != a.id || len(got[0].Addrs) != MaxPeerAddrs {
		t.Fatalf("%v", got)
	}
	if got[0].Addrs[0].String() != "/ip4/1.2.3.4/tcp/1" || !isRelayed(got[0].Addrs[1]) {
		t.Errorf("%v", got[0].Addrs)
	}
}

func TestRecordOfAnUnknownKindIsUnsupported(t *testing.T) {
	for _, m := range []*pb.Record{nil, {}} {
		_, err := OpenRecord(m)
		wantCode(t, err, wire.Unsupported)
	}
	owner := newActor(t, 1)
	b := record(t, owner, bindingBy(t, owner, exclusivePipe(owner), 1, 1))
	c := bindRight(owner, newActor(t, 2), exclusivePipe(owner), 1)
	r := revocationRecord(t, owner, revocationOf(c, exclusivePipe(owner)))
	for _, want := range []Record{b, r} {
		got, err := OpenRecord(want.Message())
		must(t, err)
		if got.Pipe() != exclusivePipe(owner).ID() || (got.Binding == nil) != (want.Binding == nil) || !bytes.Equal(got.Envelope, want.Envelope) {
			t.Errorf("%+v", got)
		}
	}
	_, err := OpenRecord(&pb.Record{Record: &pb.Record_Revocation{Revocation: b.Envelope}})
	wantCode(t, err, wire.BadRequest)
}
