package hostile

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestATruePipeIsFoundAmongLiarsOfEveryKind has every third node lie, of those
// that hold the true pipe as well.
func TestATruePipeIsFoundAmongLiarsOfEveryKind(t *testing.T) {
	attack(t, 12, func(t *testing.T, a *arena) {
		for _, how := range append(Kinds(), Mixed) {
			for i, n := range a.Nodes {
				if i%3 == 0 && n != a.reader {
					Lie(n, how)
				}
			}
			began := time.Now()
			id := a.serve(t, a.victim, string(how), pipe.CreateOptions{})
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s: bound after %v", how, took)
			}
			a.Pass(10 * time.Second)
			for _, n := range a.Live() {
				began := time.Now()
				_, err := n.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Fresh: true})
				if took := time.Since(began); err != nil || took > 5*time.Second {
					t.Errorf("%s: node %d: %v after %v", how, n.Index, err, took)
				}
			}
			a.askTrue(t, a.reader)
		}
	})
}

// majority is three quarters of the nodes nearest to the true pipe, nearest
// first, but not its binder nor the reader.
func (a *arena) majority() []*world.Node {
	nodes := a.Live()
	slices.SortFunc(nodes, func(x, y *world.Node) int {
		dx, dy := discovery.Distance(a.pipe.Key(), x.ID()), discovery.Distance(a.pipe.Key(), y.ID())
		return slices.Compare(dx[:], dy[:])
	})
	nodes = slices.DeleteFunc(nodes, func(n *world.Node) bool { return n == a.binder || n == a.reader })
	return nodes[:len(nodes)*3/4]
}

func TestFalseNotFoundOfTheMajorityOfHoldersHidesNothing(t *testing.T) {
	attack(t, 14, func(t *testing.T, a *arena) {
		a.askTrue(t, a.reader)
		for _, n := range a.majority() {
			Lie(n, Denies)
		}
		a.askTrue(t, a.reader) // whose cache proves it
		late := a.AddThrough(t, a.binder, a.reader)
		a.AwaitReady(t)
		a.askTrue(t, late) // who knows nothing
	})
}

func TestSlowAnswersOfTheMajorityDelayNobodyForLong(t *testing.T) {
	attack(t, 14, func(t *testing.T, a *arena) {
		for i, n := range a.majority() {
			Lie(n, []Kind{Silent, Drips}[i%2])
		}
		a.askTrue(t, a.reader)
		id := a.serve(t, a.victim, "bound meanwhile", pipe.CreateOptions{})
		if got, err := ask(t, a.reader, id); err != nil || got != "bound meanwhile" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestAnswersThatNobodyAskedForAreDropped: a server of the overlay answers what
// was not asked: other nonces, other messages, more than one.
func TestAnswersThatNobodyAskedForAreDropped(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		adv := p.advertisement(1)
		record := func() *pb.HeldRecord {
			return &pb.HeldRecord{Envelope: p.binding(adv, asItIs), Origin: pb.Origin_ORIGIN_AUTHORITATIVE}
		}
		var tell func(*pb.Request) *pb.Answer
		p.pose(func(req *pb.Request) *pb.Answer { return tell(req) })
		for _, n := range a.Nodes {
			p.meet(t, n)
		}
		a.Pass(time.Second)
		for name, lie := range map[string]func(*pb.Request) *pb.Answer{
			"no nonce": func(*pb.Request) *pb.Answer { return &pb.Answer{Found: true, Records: []*pb.HeldRecord{record()}} },
			"another nonce": func(*pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: garbage(16), Records: []*pb.HeldRecord{record()}}
			},
			"a long nonce": func(*pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: garbage(99), Records: []*pb.HeldRecord{record()}}
			},
			"a record nobody asked for": func(r *pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: r.GetQuery().GetNonce(), Found: true, Records: []*pb.HeldRecord{record()}}
			},
			"records without end": func(r *pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: r.GetQuery().GetNonce(), Records: slices.Repeat([]*pb.HeldRecord{record()}, 300)}
			},
			"an unknown code": func(r *pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: r.GetQuery().GetNonce(), Code: 1 << 31, Reason: "\x1b[31m"}
			},
			"a wrong advertisement": func(r *pb.Request) *pb.Answer {
				return &pb.Answer{Nonce: r.GetQuery().GetNonce(), Advertisement: p.advertisement(7).Bytes()}
			},
			"records of odd origin": func(r *pb.Request) *pb.Answer {
				odd := record()
				odd.Origin, odd.Unproven, odd.AgeSeconds = 99, []uint32{9, 8, 1 << 31, 0, 0}, 1<<32-1
				return &pb.Answer{Nonce: r.GetQuery().GetNonce(), Records: []*pb.HeldRecord{odd}}
			},
		} {
			tell = lie
			a.askTrue(t, a.reader)
			if _, err := a.reader.Pipes().Resolve(t.Context(), adv.ID(), pipe.ResolveOptions{NoCache: true}); err != nil && wire.CodeOf(err) == wire.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Streams that carry an answer instead of a request.
		for range 20 {
			b, err := proto.Marshal(&pb.Answer{Nonce: garbage(16), Found: true, Records: []*pb.HeldRecord{record()}})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.say(t, a.reader, append(uvarint(uint64(len(b))), b...)); got == nil || got.Code == 0 {
				t.Errorf("an answer put as a request: %v", got)
			}
		}
	})
}

// TestListsOfCloserNodesFullOfNonsenseCostLittle: one server names ghosts near
// to the key, thousands at once, itself, and real nodes at false addresses.
func TestListsOfCloserNodesFullOfNonsenseCostLittle(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		liar := a.Nodes[4]
		for _, how := range []Kind{Misleads, Misplaces, Crowds} {
			Lie(liar, how)
			sent := a.reader.Traffic.Writes(pipe.BindingProtocol(overlay))
			for range 5 {
				a.askTrue(t, a.reader)
				// Nobody serves it: the walk goes to its end.
				began := time.Now()
				_, err := a.reader.Pipes().Resolve(t.Context(), a.stranger(t).advertisement(3).ID(), pipe.ResolveOptions{})
				if took := time.Since(began); wire.CodeOf(err) != wire.Unbound || took > 30*time.Second {
					t.Errorf("%s: %v after %v", how, err, took)
				}
			}
			if n := a.reader.Traffic.Writes(pipe.BindingProtocol(overlay)) - sent; n > 200 {
				t.Errorf("%s: %d messages for ten resolves", how, n)
			}
		}
	})
}

// TestAFalseAdvertisementStopsNoBinder: whoever is to bind a pipe of which it
// has the ID and a capability alone learns what the pipe is among liars.
func TestAFalseAdvertisementStopsNoBinder(t *testing.T) {
	attack(t, 8, func(t *testing.T, a *arena) {
		for i, n := range a.Nodes {
			if i >= 5 {
				Lie(n, Forges)
			}
		}
		owner, heir := a.victim, a.Nodes[4]
		p, err := owner.CreatePipe(t.Context(), "moved", pipe.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a.bindByGrant(t, owner, heir, p.ID, "heir")
		a.wantAnswer(t, p.ID, "heir")
	})
}
