package hostile

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestHalfOpenStreamsAreDropped(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		p.meet(t, a.victim)
		for i := range 200 {
			id := pipe.BindingProtocol(overlay)
			if i%2 == 0 {
				id = pipe.ConnProtocol(overlay)
			}
			st := p.stream(t, a.victim, id)
			_, _ = st.Write(append(uvarint(30_000), garbage(i)...)) // and never more
		}
		a.Pass(time.Second)
		a.askTrue(t, a.victim)
		if a.victim.Host().ConnManager().IsProtected(p.host.ID(), "") {
			t.Error("streams that say nothing keep their connection from being trimmed")
		}
		if got := a.stranger(t).request(t, a.victim, a.stranger(t).query(a.pipe, a.victim)); got == nil || got.Code != 0 {
			t.Errorf("another asker meanwhile: %v", got)
		}
		a.Pass(15 * time.Second)
		if use := a.victim.Pipes().Usage(); use.Requests != 0 || use.Conns != 0 {
			t.Errorf("half-open streams still count: %+v", use)
		}
		open := 0
		for _, c := range a.victim.Host().Network().ConnsToPeer(p.host.ID()) {
			open += len(c.GetStreams())
		}
		if open > 5 {
			t.Errorf("%d streams are still open", open)
		}
	})
}

// flood puts requests from several peers at once, as fast as they are
// answered, until the time is over, and counts the answers by their code.
func flood(a *arena, peers []*hand, lanes int, d time.Duration, send func(p *hand) *pb.Answer) map[wire.Code]int {
	var mu sync.Mutex
	codes := make(map[wire.Code]int)
	var wg sync.WaitGroup
	until := time.Now().Add(d)
	for _, p := range peers {
		for range lanes {
			wg.Go(func() {
				for time.Now().Before(until) {
					answer := send(p)
					mu.Lock()
					if answer == nil {
						codes[wire.Closed]++
					} else {
						codes[wire.Code(answer.Code)]++
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return codes
}

// exchange is request for goroutines: it fails nothing.
func (p *hand) exchange(ctx context.Context, st network.Stream, b []byte) *pb.Answer {
	defer func() { _ = st.Reset() }()
	_ = st.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = st.Write(b)
	_ = st.CloseWrite()
	a := new(pb.Answer)
	if ctx.Err() != nil || wire.ReadMessage(st, a, pipe.MaxAnswer) != nil {
		return nil
	}
	return a
}

// put opens a stream and exchanges a request.
func (p *hand) put(ctx context.Context, a *arena, b []byte) *pb.Answer {
	st, err := p.host.NewStream(ctx, a.victim.ID(), pipe.BindingProtocol(overlay))
	if err != nil {
		return nil
	}
	return p.exchange(ctx, st, b)
}

// crowd is peers of one network, all connected to the victim.
func (a *arena) crowd(t *testing.T, n int) []*hand {
	t.Helper()
	var all []*hand
	for i := range n {
		p := a.peerAt(t, fmt.Sprintf("12.252.7.%d", 1+i%5), 5000+i)
		p.meet(t, a.victim)
		all = append(all, p)
	}
	return all
}

// few has nodes serve few requests of one peer, so that a flood is small.
func few(c *node.Config) { c.Limits.Requests = 20 }

func TestQueryFloodsStarveNobody(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		crowd := a.crowd(t, 10)
		ended := make(chan map[wire.Code]int)
		go func() {
			ended <- flood(a, crowd, 4, 10*time.Second, func(p *hand) *pb.Answer {
				return p.put(t.Context(), a, framed(p.query(a.pipe, a.victim)))
			})
		}()
		a.Pass(5 * time.Second)
		asker := a.stranger(t)
		asker.meet(t, a.victim)
		for range 20 {
			began := time.Now()
			got := asker.request(t, a.victim, asker.query(a.pipe, a.victim))
			if took := time.Since(began); got == nil || got.Code != 0 || !got.Found || took > time.Second {
				t.Fatalf("an honest asker in the flood: %v after %v", got, took)
			}
		}
		codes := <-ended
		// The group had a full bucket and ten seconds of its rate.
		if most := 4*80 + 4*20*10 + 50; codes[wire.OK] > most || codes[wire.Busy] == 0 {
			t.Errorf("of one network %v were answered, at most %d", codes, most)
		}
	}, few)
}

// ground is advertisements of a peer whose pipes' keys are near to a node.
func (p *hand) ground(place wire.Key, bits, n int) []pipe.Advertisement {
	var out []pipe.Advertisement
	var salt [8]byte
	for i := uint64(1); len(out) < n; i++ {
		binary.BigEndian.PutUint64(salt[:], i)
		adv := p.advertisement(salt[:]...)
		d := place.XOR(adv.ID().Key())
		if binary.BigEndian.Uint32(d[:])>>(32-bits) == 0 {
			out = append(out, adv)
		}
	}
	return out
}

func TestStoreFloodsOfGroundIDsFillNoMoreThanTheirQuota(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		p.meet(t, a.victim)
		before := a.victim.Pipes().Usage()
		// Nearer to the victim than the true pipe: the true one would be evicted
		// before them if the farthest of all had to go.
		const most = 2048
		codes := make(map[wire.Code]int)
		for batch := range slices.Chunk(p.ground(wire.Place([]byte(a.victim.ID())), 3, most+300), 100) {
			var all [][]byte
			for _, adv := range batch {
				all = append(all, p.binding(adv, asItIs))
			}
			for _, c := range p.store(t, a.victim, all...) {
				codes[c]++
			}
			a.Pass(time.Second)
		}
		if codes[wire.OK] != most || codes[wire.Limit] != 300 {
			t.Errorf("%v, want %d taken", codes, most)
		}
		after := a.victim.Pipes().Usage()
		if after.Records != before.Records+most {
			t.Errorf("%d records are held, %d before", after.Records, before.Records)
		}
		// The holder has room for others.
		if got := a.stranger(t); got.store(t, a.victim, got.binding(got.advertisement(1), asItIs))[0] != wire.OK {
			t.Error("an honest depositor finds no room")
		}
	})
}

func TestStoreFloodsCostTheirSenderByTheRecord(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		p.meet(t, a.victim)
		var all []*pb.Record
		e := p.binding(p.advertisement(1), asItIs)
		for range 40 {
			all = append(all, &pb.Record{Record: &pb.Record_Binding{Binding: e}})
		}
		b := framed(&pb.Request{Op: &pb.Request_Store{Store: &pb.Store{Records: all}}})
		codes := flood(a, []*hand{p}, 4, 10*time.Second, func(p *hand) *pb.Answer { return p.put(t.Context(), a, b) })
		if most := (80+20*10)/40 + 1; codes[wire.OK] > most || codes[wire.Busy] == 0 {
			t.Errorf("%v, at most %d stores of 40 records", codes, most)
		}
	}, few)
}

func TestRevocationFloodsArePaidByTheirSender(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		p.meet(t, a.victim)
		adv := p.advertisement(1)
		codes := make(map[wire.Code]int)
		before := a.victim.Pipes().Usage()
		for range 3 {
			s := &pb.Store{}
			for range 100 {
				r := pipe.Revocation{
					Pipe: adv.ID(), Advertisement: adv, Issuer: p.principal(), Nonce: [16]byte(garbage(16)),
					Expiry: time.Now().Add(time.Hour), Issued: time.Now(),
				}
				e, err := r.Sign(p.key)
				if err != nil {
					t.Fatal(err)
				}
				s.Records = append(s.Records, &pb.Record{Record: &pb.Record_Revocation{Revocation: e}})
			}
			got := p.request(t, a.victim, &pb.Request{Op: &pb.Request_Store{Store: s}})
			for _, r := range got.GetResults() {
				codes[wire.Code(r.Code)]++
			}
		}
		if held := a.victim.Pipes().Usage().Records - before.Records; held > 64 || codes[wire.OK] < 64 {
			t.Errorf("%v, and %d are held: one pipe has at most 64 revocations", codes, held)
		}
	})
}
