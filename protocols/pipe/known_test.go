package pipe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// heard is a record as the tests of bookkeeping need it: unsigned.
func heard(b Binding) Found {
	b.Issued = time.Now()
	if b.Life == 0 {
		b.Life = time.Minute
	}
	return Found{Binding: b, Envelope: fmt.Appendf(nil, "%s %d %d %v", b.Binder, b.Term, b.Seq, b.Withdrawn), Origin: OriginHeld}
}

func TestNewestRecordOfEachBinderStays(t *testing.T) {
	a, b := newActor(t, 1), newActor(t, 2)
	adv := Advertisement{Binders: Many}
	var k known
	for _, c := range []struct {
		binder  actor
		seq     uint64
		changed bool
	}{{a, 5, true}, {a, 4, false}, {a, 5, false}, {b, 1, true}, {a, 6, true}} {
		if got := k.add(heard(Binding{Advertisement: adv, Binder: c.binder.who, Seq: c.seq})); got != c.changed {
			t.Errorf("seq %d: changed %v", c.seq, got)
		}
	}
	if len(k.live(time.Now())) != 2 || k.records[0].Binding.Seq != 6 {
		t.Errorf("records %+v", k.records)
	}
	k.add(heard(Binding{Advertisement: adv, Binder: a.who, Seq: 7, Withdrawn: true}))
	if live := k.live(time.Now()); len(live) != 1 || live[0].Binding.Binder != b.who {
		t.Errorf("after the tombstone: %+v", live)
	}
}

func TestTooManyRecordsLeaveTheHighestTerm(t *testing.T) {
	adv := Advertisement{Binders: Exclusive}
	var k known
	top := newActor(t, 0)
	k.add(heard(Binding{Advertisement: adv, Binder: top.who, Seq: 1, Term: 9}))
	for i := 1; i <= MaxAnswerRecords+20; i++ {
		k.add(heard(Binding{Advertisement: adv, Binder: newActor(t, byte(i)).who, Seq: 1, Term: 5, Life: time.Minute + time.Duration(i)*time.Second}))
	}
	if len(k.records) != MaxAnswerRecords || k.highestTerm() != 9 {
		t.Errorf("%d records, highest term %d", len(k.records), k.highestTerm())
	}
	for _, f := range k.records {
		if f.Binding.Term == 5 && f.Binding.Life < time.Minute+20*time.Second {
			t.Errorf("one that ends after %s is kept before others", f.Binding.Life)
		}
	}
	if k.add(heard(Binding{Advertisement: adv, Binder: newActor(t, 200).who, Seq: 1, Term: 1})) {
		t.Error("a record that finds no room changes something")
	}
}

func TestHigherTermOverridesInTheCacheAndTellsWatchers(t *testing.T) {
	a, b := newActor(t, 1), newActor(t, 2)
	adv := Advertisement{Binders: Exclusive, Owner: a.who}
	id := adv.ID()
	c := newCache(10)
	now := time.Now()
	told := 0
	stop := c.onChange(id, func() { told++ })
	c.add(id, now, heard(Binding{Pipe: id, Advertisement: adv, Binder: a.who, Seq: 9, Term: 1}))
	c.add(id, now, heard(Binding{Pipe: id, Advertisement: adv, Binder: b.who, Seq: 1, Term: 2}))
	c.add(id, now, heard(Binding{Pipe: id, Advertisement: adv, Binder: b.who, Seq: 1, Term: 2})) // nothing new
	if told != 2 {
		t.Errorf("watcher told %d times, expected 2", told)
	}
	r := c.resolution(id, now)
	if len(r.Bindings) != 1 || r.Bindings[0].Binding.Binder != b.who || r.Bindings[0].Origin != OriginCached {
		t.Errorf("resolution %+v", r)
	}
	stop()
	c.add(id, now, heard(Binding{Pipe: id, Advertisement: adv, Binder: b.who, Seq: 2, Term: 2, Withdrawn: true}))
	if c.resolution(id, now) != nil || told != 2 {
		t.Errorf("after the tombstone: %+v, told %d", c.resolution(id, now), told)
	}
}

func TestCachedBindingEndsWithItsLifeAndItsBinderIsRemembered(t *testing.T) {
	a := newActor(t, 1)
	adv := Advertisement{Binders: Exclusive, Owner: a.who}
	id := adv.ID()
	c := newCache(10)
	f := heard(Binding{Pipe: id, Advertisement: adv, Binder: a.who, Seq: 1, Term: 1})
	c.add(id, time.Now(), f)
	end := f.Binding.Expires()
	if c.resolution(id, end.Add(-time.Millisecond)) == nil {
		t.Error("gone before its end")
	}
	if c.resolution(id, end) != nil {
		t.Error("there after its end")
	}
	if k := c.records(id); len(addrsOfBinders("", k.records, 3)) != 1 {
		t.Error("the binder is forgotten")
	}
}

func TestCacheKeepsToItsCap(t *testing.T) {
	a := newActor(t, 1)
	c := newCache(3)
	var ids []ID
	for i := range 5 {
		adv := Advertisement{Binders: Many, Owner: a.who, Salt: [SaltSize]byte{byte(i)}}
		ids = append(ids, adv.ID())
		c.add(adv.ID(), time.Now(), heard(Binding{Pipe: adv.ID(), Advertisement: adv, Binder: a.who, Seq: 1}))
		c.resolution(ids[0], time.Now()) // keeps the first in use
	}
	for i, want := range []bool{true, false, false, true, true} {
		if got := c.resolution(ids[i], time.Now()) != nil; got != want {
			t.Errorf("pipe %d is cached: %v", i, got)
		}
	}
	if len(c.byKey) != 3 {
		t.Errorf("%d keys left", len(c.byKey))
	}
}

func TestProgressCountsTheClosestAlone(t *testing.T) {
	key := IDOf([]byte("x")).Key()
	p := progress{key: key}
	var ids []peer.AddrInfo
	for i := range 30 {
		ids = append(ids, peer.AddrInfo{ID: peer.ID(fmt.Sprint(i))})
	}
	p.saw(true, ids...)
	p.saw(true, ids...)
	if len(p.nodes) != 30 {
		t.Fatalf("%d nodes", len(p.nodes))
	}
	for _, n := range p.nodes[25:] {
		p.set(n.id, stored)
	}
	if p.enough(true) {
		t.Error("five copies far away are called enough")
	}
	for i, n := range p.nodes[:5] {
		if p.enough(true) {
			t.Errorf("%d copies are called enough", i)
		}
		p.set(n.id, stored)
	}
	if !p.enough(true) {
		t.Error("five of the closest are not enough")
	}
	if all, near := p.copies(true); all != 10 || near != 5 {
		t.Errorf("%d copies, %d near", all, near)
	}
	for _, n := range p.nodes[5:20] {
		p.set(n.id, silent)
	}
	if _, near := p.copies(true); near != 10 {
		t.Errorf("%d near when those between are silent, expected 10", near)
	}
}

func TestGhostsNearAKeyAreBelievedForAWhileAlone(t *testing.T) {
	p := progress{key: IDOf([]byte("x")).Key()}
	for i := range 60 {
		p.saw(true, peer.AddrInfo{ID: peer.ID(fmt.Sprint(i))})
	}
	for _, n := range p.nodes[40:46] {
		p.set(n.id, stored)
	}
	if p.enough(true) || !p.enough(false) {
		t.Errorf("believing what is named %v, else %v", p.enough(true), p.enough(false))
	}
}

func TestCopiesInOneNetworkMakeARecordSafeOnlyForWantOfOthers(t *testing.T) {
	const crowded = "5.6.7.0/24"
	for _, c := range []struct {
		name           string
		ground, others int // servers, those of one network nearest to the key
		lan            bool
		fail           copyState // what becomes of the others in the end
		at             int       // copies of the crowd that are enough before that; 0 = none
	}{
		{name: "a crowd and a few others", ground: 10, others: 3, fail: silent},
		{name: "a crowd and others that refuse", ground: 10, others: 3, fail: refused},
		{name: "a crowd in the way of many", ground: 30, others: 30, fail: silent},
		{name: "a whole overlay in one network", ground: 10, at: enoughCopies},
		{name: "a LAN", ground: 10, others: 3, lan: true, at: enoughCopies},
	} {
		near := byDistance(modelKey(1), newOverlay(c.ground+c.others, Replication).ids)
		p := progress{key: modelKey(1), networkOf: func(id peer.ID) string {
			switch {
			case c.lan:
				return ""
			case slices.Contains(near[:c.ground], id):
				return crowded
			}
			return string(id)
		}}
		p.saw(false, infosOf(near)...)
		at := 0
		for i, id := range near[:c.ground] {
			if p.set(id, stored); at == 0 && p.enough(true) {
				at = i + 1
			}
		}
		if at != c.at {
			t.Errorf("%s: enough after %d copies, want %d", c.name, at, c.at)
		}
		for i, id := range near[c.ground:] {
			if p.set(id, c.fail); p.enough(true) != (c.at > 0 || i == c.others-1) {
				t.Errorf("%s: enough %v after %d of the others have failed", c.name, p.enough(true), i+1)
			}
		}
	}
}

func TestACrowdAndTwoOthersMakeARecordSafe(t *testing.T) {
	near := byDistance(modelKey(1), newOverlay(40, Replication).ids)
	p := progress{key: modelKey(1), networkOf: func(id peer.ID) string {
		if slices.Contains(near[:5], id) {
			return "5.6.7.0/24"
		}
		return string(id)
	}}
	p.saw(false, infosOf(near)...)
	for _, id := range near[:6] {
		p.set(id, stored)
	}
	if p.enough(true) {
		t.Error("three copies of a crowd and one other are enough")
	}
	if p.set(near[6], stored); !p.enough(true) {
		t.Error("three copies of a crowd and two others are not enough")
	}
}

func TestOrderPutsThePreferredFirst(t *testing.T) {
	a, b, c := newActor(t, 1), newActor(t, 2), newActor(t, 3)
	var all []Found
	for _, x := range []actor{a, b, c} {
		all = append(all, Found{Binding: Binding{Binder: x.who}})
	}
	binders := func(fs []Found) (out []identity.Principal) {
		for _, f := range fs {
			out = append(out, f.Binding.Binder)
		}
		return out
	}
	if got := binders(order(all, c.who, false)); got[0] != c.who || got[1] != a.who || got[2] != b.who {
		t.Errorf("order %v", got)
	}
	if got := binders(order(all, identity.Principal{}, false)); got[0] != a.who || got[2] != c.who {
		t.Errorf("order %v", got)
	}
}

func TestEndpointsAreSharedAmongTransports(t *testing.T) {
	var texts []string
	for i := range 12 {
		texts = append(texts, fmt.Sprintf("/ip4/10.0.0.%d/tcp/1", i))
	}
	texts = append(texts, "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.1/udp/1/quic-v1",
		"/ip4/10.0.0.1/tcp/1/p2p/12D3KooWBrC48wJkVQwCGj75SWU1K8uKRhtXHuvgAwDHS6XzJmgw")
	addrs := addrsFor(t, texts...)
	got := pickEndpoints(addrs, Advertisement{})
	if len(got) != MaxEndpoints || reach.TransportOf(got[1]) != reach.QUIC || reach.TransportOf(got[2]) != reach.TCP {
		t.Errorf("endpoints %v", got)
	}
	if got = pickEndpoints(addrs, Advertisement{Transports: []reach.Transport{reach.QUIC}}); len(got) != 1 {
		t.Errorf("endpoints of a QUIC pipe %v", got)
	}
}
