package pipe

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// overlay is a model of servers that a sweep speaks to.
type overlay struct {
	k     int
	ids   []peer.ID
	asker peer.ID // who sweeps, a server like the others
	dead  map[peer.ID]bool
	knows map[peer.ID][]peer.ID // nil: everybody
	held  map[peer.ID]map[int]int
	sent  map[peer.ID]map[int]int
}

func newOverlay(n, k int) *overlay {
	o := &overlay{
		k: k, asker: "self", dead: make(map[peer.ID]bool), held: make(map[peer.ID]map[int]int), sent: make(map[peer.ID]map[int]int),
	}
	for i := range n {
		id := peer.ID(fmt.Sprintf("server %d", i))
		o.ids = append(o.ids, id)
		o.held[id], o.sent[id] = make(map[int]int), make(map[int]int)
	}
	return o
}

func modelAddr(i int) ma.Multiaddr {
	return ma.StringCast(fmt.Sprintf("/ip4/10.0.%d.%d/udp/1/quic-v1", i/250, i%250))
}

func infosOf(ids []peer.ID) []peer.AddrInfo {
	out := make([]peer.AddrInfo, len(ids))
	for i, id := range ids {
		out[i] = peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{modelAddr(1)}}
	}
	return out
}

func byDistance(key wire.Key, ids []peer.ID) []peer.ID {
	type far struct {
		id   peer.ID
		dist wire.Key
	}
	all := make([]far, len(ids))
	for i, id := range ids {
		all[i] = far{id, key.Distance([]byte(id))}
	}
	slices.SortFunc(all, func(a, b far) int { return bytes.Compare(a.dist[:], b.dist[:]) })
	out := make([]peer.ID, len(ids))
	for i, f := range all {
		out[i] = f.id
	}
	return out
}

// buckets gives every server a routing table: of each distance class up to k
// servers, by chance.
func (o *overlay) buckets(rng *rand.Rand) {
	o.knows = make(map[peer.ID][]peer.ID)
	for _, id := range o.ids {
		classes := make(map[int][]peer.ID)
		own := wire.Place([]byte(id))
		for _, other := range o.ids {
			if other == id {
				continue
			}
			d := own.Distance([]byte(other))
			zeros := 0
			for zeros < 256 && d[zeros/8]&(0x80>>(zeros%8)) == 0 {
				zeros++
			}
			classes[zeros] = append(classes[zeros], other)
		}
		for c := range 256 {
			rng.Shuffle(len(classes[c]), func(i, j int) { classes[c][i], classes[c][j] = classes[c][j], classes[c][i] })
			o.knows[id] = append(o.knows[id], classes[c][:min(o.k, len(classes[c]))]...)
		}
	}
}

func (o *overlay) known(to peer.ID) []peer.ID {
	if o.knows != nil {
		return o.knows[to]
	}
	return o.ids
}

// closer is what a server answers.
func (o *overlay) closer(to peer.ID, key wire.Key) []peer.ID {
	all := slices.DeleteFunc(byDistance(key, o.known(to)), func(p peer.ID) bool { return p == to })
	return all[:min(o.k, len(all))]
}

// takes reports that a server knows fewer than k that are nearer.
func (o *overlay) takes(to peer.ID, key wire.Key) bool {
	own, nearer := key.Distance([]byte(to)), 0
	for _, id := range append(slices.Clone(o.known(to)), o.asker) {
		if d := key.Distance([]byte(id)); bytes.Compare(d[:], own[:]) < 0 {
			nearer++
		}
	}
	return nearer < o.k
}

// deliver answers a letter as its server would.
func (o *overlay) deliver(m *sweep, l *letter) {
	to := l.to.id
	for _, i := range l.ids() {
		o.sent[to][i]++
	}
	if o.dead[to] {
		m.failed(l, nil)
		return
	}
	var codes []wire.Code
	for _, p := range l.records {
		if o.takes(to, p.record.key) {
			o.held[to][p.record.id]++
			codes = append(codes, wire.OK)
		} else {
			codes = append(codes, wire.NotClose)
		}
	}
	m.answered(l, codes, infosOf(o.closer(to, l.about.key)))
}

// should lists who of some servers is to hold a record in the end.
func (o *overlay) should(key wire.Key, of []peer.ID) []peer.ID {
	var out []peer.ID
	for _, p := range byDistance(key, of) {
		if len(out) < o.k && !o.dead[p] && o.takes(p, key) {
			out = append(out, p)
		}
	}
	return out
}

// sweepThrough runs a sweep to its end; pick chooses which letter is answered.
func sweepThrough(t interface{ Fatalf(string, ...any) }, m *sweep, o *overlay, pick func(n int) int) {
	now := time.Duration(0)
	var out []*letter
	for range 100_000 {
		e := m.step(now)
		for _, l := range e.send {
			size := 0
			for _, p := range l.records {
				size += p.record.size
			}
			if len(l.records) > m.sweepLimits.records || len(l.records) > 1 && size > m.bytes {
				t.Fatalf("a letter of %d records, %d bytes", len(l.records), size)
			}
		}
		out = append(out, e.send...)
		if len(out) > 3*m.alpha {
			t.Fatalf("%d letters out", len(out))
		}
		if e.done {
			if len(out) > 0 {
				t.Fatalf("done with %d letters out", len(out))
			}
			return
		}
		i := pick(len(out))
		o.deliver(m, out[i])
		out = slices.Delete(out, i, i+1)
		now += 50 * time.Millisecond
	}
	t.Fatalf("the sweep does not end")
}

func modelKey(i int) wire.Key { return wire.Place(fmt.Appendf(nil, "key %d", i)) }

func TestSweepBringsEveryRecordToTheNearestThatLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := defaultSweepLimits()
		l.k = rapid.IntRange(1, 8).Draw(t, "k")
		l.known = 4 * l.k
		l.alpha = rapid.IntRange(1, 10).Draw(t, "alpha")
		l.records = rapid.IntRange(1, 40).Draw(t, "records in a letter")
		o := newOverlay(rapid.IntRange(1, 60).Draw(t, "servers"), l.k)
		for _, id := range o.ids {
			if rapid.IntRange(0, 4).Draw(t, "dead") == 0 {
				o.dead[id] = true
			}
		}
		m := newSweep("self", l)
		records := rapid.IntRange(1, 40).Draw(t, "records")
		for i := range records {
			m.addRecord(i, modelKey(rapid.IntRange(0, 1000).Draw(t, "key")), rapid.IntRange(100, 40_000).Draw(t, "size"))
		}
		seed := rapid.SampledFrom(o.ids).Draw(t, "seed")
		delete(o.dead, seed)
		m.addServers(infosOf([]peer.ID{seed, "self"}))
		sweepThrough(t, m, o, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "answered") })

		for i := range records {
			key := m.byID[i].key
			// How many it finds is another test's: chance has a part in that.
			for _, id := range o.should(key, slices.Collect(maps.Keys(m.servers))) {
				if o.held[id][i] != 1 {
					t.Errorf("record %d is at %s %d times", i, id, o.held[id][i])
				}
			}
		}
		for id, sent := range o.sent {
			for i, n := range sent {
				if n > 1 {
					t.Errorf("record %d was sent to %s %d times", i, id, n)
				}
			}
		}
	})
}

func TestSweepTakesAboutOneMessageForEachServer(t *testing.T) {
	for _, c := range []struct{ servers, dead, records, seeds, most int }{
		{1, 0, 100, 1, 1},
		{19, 0, 100, 19, 19},
		{20, 0, 2, 3, 24},
		{50, 0, 100, 50, 55},
		{50, 5, 100, 50, 70},
		{250, 0, 1, 60, 50},
		{250, 0, 10, 60, 170},
		{250, 0, 100, 60, 280},
		{250, 25, 100, 60, 350},   // a tenth of them, and nobody has noticed
		{60, 0, 1000, 60, 3 * 65}, // 333 records for each server; 128 fit
	} {
		t.Run(fmt.Sprintf("%dRecordsAt%dServers%dDead", c.records, c.servers, c.dead), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(c.servers*c.records)))
			l := defaultSweepLimits()
			o := newOverlay(c.servers, l.k)
			o.buckets(rng)
			m := newSweep("self", l)
			for i := range c.records {
				m.addRecord(i, modelKey(i), 600)
			}
			rng.Shuffle(len(o.ids), func(i, j int) { o.ids[i], o.ids[j] = o.ids[j], o.ids[i] })
			m.addServers(infosOf(o.ids[:c.seeds]))
			for _, id := range o.ids[c.servers-c.dead:] {
				o.dead[id] = true
			}
			sweepThrough(t, m, o, func(int) int { return 0 })
			missing, extra := 0, 0
			for i := range c.records {
				should := o.should(modelKey(i), o.ids)
				for _, id := range o.ids {
					switch want := slices.Contains(should, id); {
					case want && o.held[id][i] == 0:
						missing++
					case !want && o.held[id][i] > 0:
						extra++
					}
				}
			}
			t.Logf("%d letters; of %d copies %d missing, %d more than needed", m.sent, c.records*min(l.k, c.servers), missing, extra)
			if m.sent > c.most || missing*200 > c.records*min(l.k, c.servers) {
				t.Errorf("%d letters, at most %d expected; %d copies missing", m.sent, c.most, missing)
			}
		})
	}
}

func TestSweepKeepsToKeyOrderAndSpreadsItsQuestions(t *testing.T) {
	l := defaultSweepLimits()
	l.k = 2
	o := newOverlay(30, l.k)
	m := newSweep("self", l)
	for i := range 30 {
		m.addRecord(i, modelKey(i), 600)
	}
	if !slices.IsSortedFunc(m.records, func(a, b *sweptRecord) int { return bytes.Compare(a.key[:], b.key[:]) }) {
		t.Fatal("records are not in the order of their keys")
	}
	m.addServers(infosOf(o.ids))
	last := -1
	began := m.step(0).send
	for _, sent := range began {
		at := slices.Index(m.records, sent.records[0].record)
		if at < last {
			t.Errorf("record %d after record %d", at, last)
		}
		last = at
	}
	for _, sent := range began {
		o.deliver(m, sent)
	}
	sweepThrough(t, m, o, func(int) int { return 0 })
	for _, r := range m.records {
		if len(r.spoken) < l.k-1 {
			t.Errorf("%d servers told who is near record %d", len(r.spoken), r.id)
		}
	}
}

// liars named by one server stand nearest to a key, and answer nothing.
func TestSilentServersGiveTheirPlaceToOthers(t *testing.T) {
	l := defaultSweepLimits()
	o := newOverlay(40, l.k)
	m := newSweep("self", l)
	key := modelKey(1)
	m.addRecord(0, key, 600)
	m.addServers(infosOf(o.ids[:5]))
	now := time.Duration(0)
	liar := o.ids[0]
	var silent []*letter
	for {
		e := m.step(now)
		if len(e.send) == 0 && e.wake > now {
			now = e.wake
			continue
		}
		if len(e.send) == 0 {
			break
		}
		for _, sent := range e.send {
			switch {
			case sent.to.id == liar:
				var fakes []peer.ID
				for i := 0; len(fakes) < 20; i++ {
					id := peer.ID(fmt.Sprintf("fake %d", i))
					if d := key.Distance([]byte(id)); d[0] < 8 {
						fakes = append(fakes, id)
						o.dead[id] = true
					}
				}
				m.answered(sent, []wire.Code{wire.OK}, infosOf(fakes))
			case o.dead[sent.to.id]:
				silent = append(silent, sent)
			default:
				o.deliver(m, sent)
			}
		}
		now += 50 * time.Millisecond
	}
	if now > 10*time.Second {
		t.Errorf("others had to wait %s for those who keep silent", now)
	}
	for _, id := range o.should(key, o.ids) {
		if id != liar && o.held[id][0] == 0 {
			t.Errorf("%s has no copy while %d servers keep silent", id, len(silent))
		}
	}
}

func TestAFailedServerIsAskedAgainByANewAddress(t *testing.T) {
	m := newSweep("self", defaultSweepLimits())
	m.addRecord(0, modelKey(1), 600)
	hidden := peer.AddrInfo{ID: "hidden", Addrs: []ma.Multiaddr{modelAddr(1)}}
	m.hear(&sweptServer{id: "teller"}, []peer.AddrInfo{hidden})
	m.failed(m.step(0).send[0], nil)
	m.hear(&sweptServer{id: "teller"}, []peer.AddrInfo{hidden})
	if e := m.step(0); len(e.send) > 0 || !e.done {
		t.Fatalf("asked again by the same address: %+v", e)
	}
	hidden.Addrs = []ma.Multiaddr{modelAddr(2)}
	m.hear(&sweptServer{id: "teller"}, []peer.AddrInfo{hidden})
	again := m.step(0).send
	if len(again) != 1 || len(again[0].info().Addrs) != 2 {
		t.Fatalf("by a new address: %+v", again)
	}
	m.failed(again[0], nil)
	hidden.Addrs = []ma.Multiaddr{modelAddr(3)}
	m.hear(&sweptServer{id: "teller"}, []peer.AddrInfo{hidden})
	if e := m.step(0); len(e.send) > 0 {
		t.Fatal("asked a third time")
	}
}

func TestADroppedRecordIsNotSentAnyMore(t *testing.T) {
	l := defaultSweepLimits()
	l.alpha = 1
	m := newSweep("self", l)
	o := newOverlay(10, l.k)
	m.addRecord(0, modelKey(1), 600)
	m.addServers(infosOf(o.ids))
	first := m.step(0).send[0]
	m.dropRecord(0)
	o.deliver(m, first)
	if e := m.step(0); len(e.send) > 0 || !e.done {
		t.Errorf("after it was dropped: %+v", e)
	}
}

func TestABusyServerIsAskedAgainLater(t *testing.T) {
	l := defaultSweepLimits()
	m := newSweep("self", l)
	m.addRecord(0, modelKey(1), 600)
	m.addServers(infosOf([]peer.ID{"busy"}))
	now := time.Duration(0)
	for i := range l.busyTries {
		e := m.step(now)
		if len(e.send) != 1 {
			t.Fatalf("try %d at %s: %+v", i, now, e)
		}
		m.later(e.send[0], now)
		if e = m.step(now); i < l.busyTries-1 && (len(e.send) > 0 || e.done || e.wake != now+l.busyPause<<i) {
			t.Fatalf("after try %d at %s: %+v", i, now, e)
		}
		now = e.wake
	}
	if e := m.step(time.Hour); len(e.send) > 0 || !e.done {
		t.Errorf("it counts for there after %d tries: %+v", l.busyTries, e)
	}
}

func TestSweepDoesNotLookAgainForWhomThereIsNoRoom(t *testing.T) {
	m := newSweep("self", defaultSweepLimits())
	m.addRecord(0, wire.Key{1}, 500)
	m.hear(&sweptServer{id: "teller"}, infosOf(newOverlay(1000, 20).ids))
	r := m.records[0]
	for _, p := range r.places[:m.k-1] {
		p.become(sweptHeld)
	}
	r.places[m.k-1].become(sweptNotClose) // so that nobody farther is wanted
	m.next(0)
	if !r.cut || len(m.window(r)) >= m.k {
		t.Fatalf("cut %v, %d in the window", r.cut, len(m.window(r)))
	}
	if allocs := testing.AllocsPerRun(10, func() { m.next(0) }); allocs > 50 {
		t.Errorf("%v allocations for a letter", allocs)
	}
}

func TestAFloodOfNamesDoesNotShutOutWhomOthersName(t *testing.T) {
	o := newOverlay(300, Replication)
	honest, liars, fakes := o.ids[:2], o.ids[2:6], 0
	m := newSweep("self", defaultSweepLimits())
	m.networkOf = func(p peer.ID) string {
		if slices.Contains(liars, p) {
			return "5.6.7.0/24"
		}
		return ""
	}
	m.addRecord(0, modelKey(0), 500)
	m.addServers(infosOf(o.ids[:6]))
	tell := func(from peer.ID, closer []peer.AddrInfo) {
		m.answered(&letter{to: m.servers[from], about: m.records[0]}, nil, closer)
	}
	flood := func(times int) {
		for i := range times {
			lies := make([]peer.ID, MaxCloser)
			for j := range lies {
				lies[j] = peer.ID(fmt.Sprintf("fake %d", fakes))
				fakes++
			}
			tell(liars[i%len(liars)], infosOf(lies))
		}
	}
	flood(1000)
	for i, true := range slices.Collect(slices.Chunk(o.ids[6:], MaxCloser)) {
		tell(honest[i%2], infosOf(true))
		flood(10)
	}
	for _, id := range o.ids {
		if m.servers[id] == nil {
			t.Fatalf("%s is not known, but %d fakes are", id, len(m.servers))
		}
	}
	if most := m.sweepLimits.servers + len(o.ids); len(m.servers) > most {
		t.Errorf("%d servers are known, at most %d expected", len(m.servers), most)
	}
	for _, id := range byDistance(modelKey(0), o.ids)[:1] {
		if m.records[0].at(m.servers[id]) == nil && !m.records[0].cut {
			t.Errorf("%s is no candidate", id)
		}
	}
}

func TestOfAFloodTheNearestStay(t *testing.T) {
	l := defaultSweepLimits()
	l.servers = 100
	m := newSweep("self", l)
	o := newOverlay(1000, Replication)
	key := modelKey(0)
	m.addRecord(0, key, 500)
	m.addServers(infosOf([]peer.ID{"one", "another"}))
	tell := func(from peer.ID, ids []peer.ID) {
		m.answered(&letter{to: m.servers[from], about: m.records[0]}, nil, infosOf(ids))
	}
	tell("one", o.ids[:100])
	tell("another", o.ids[100:150])
	for i, id := range byDistance(key, o.ids[:100]) {
		if known := m.servers[id] != nil; known != (i < 50) {
			t.Errorf("the one that is %dth is known: %v", i, known)
		}
	}
	if _, is := m.records[0].search(key.Distance([]byte(byDistance(key, o.ids[:100])[99]))); is {
		t.Error("one that is not known any more is a candidate")
	}
	if got := m.records[0].unsent; got != min(l.known, len(m.records[0].places)) {
		t.Errorf("%d candidates counted, %d there", got, len(m.records[0].places))
	}
}

func TestSweepIsNotKeptFromOthersByACrowdOfOneNetwork(t *testing.T) {
	o := newOverlay(60, 20)
	key := wire.Key{1}
	near := byDistance(key, o.ids)
	ground, honest := near[:30], near[30:]
	m := newSweep("self", defaultSweepLimits())
	m.networkOf = func(p peer.ID) string {
		if slices.Contains(ground, p) {
			return "5.6.7.0/24"
		}
		return string(p)
	}
	m.addRecord(0, key, 500)
	m.hear(&sweptServer{id: "teller"}, infosOf(o.ids))
	held := 0
	for now := time.Duration(0); ; now += 50 * time.Millisecond {
		e := m.step(now)
		if e.done {
			break
		}
		for _, l := range e.send {
			if slices.Contains(honest, l.to.id) && len(l.records) > 0 {
				held++
			}
			m.answered(l, slices.Repeat([]wire.Code{wire.OK}, len(l.records)), nil)
		}
	}
	if held < m.k-reach.PerNetwork {
		t.Errorf("%d servers of other networks hold the record", held)
	}
}
