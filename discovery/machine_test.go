package discovery

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	mh "github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// makePeer returns the n-th of a fixed list of peer IDs.
func makePeer(n int) peer.ID {
	h, err := mh.Sum(fmt.Appendf(nil, "peer %d", n), mh.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return peer.ID(h)
}

func makeAddr(n int) ma.Multiaddr {
	return ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/udp/%d/quic-v1", n%250+1, 1000+n))
}

// makeInfos returns count peers, nearest to key first.
func makeInfos(key wire.Key, count int) []peer.AddrInfo {
	out := make([]peer.AddrInfo, count)
	for i := range out {
		out[i] = peer.AddrInfo{ID: makePeer(i), Addrs: []ma.Multiaddr{makeAddr(i)}}
	}
	sort.Slice(out, func(i, j int) bool { return nearer(Distance(key, out[i].ID), Distance(key, out[j].ID)) })
	return out
}

var testKey = wire.Key(sha256.Sum256([]byte("a key")))

const testSelf = -1

func testMachine(l limits) *machine { return newMachine(makePeer(testSelf), testKey, l) }

func testLimits() limits { return defaultLimits(5 * time.Second) }

func all(peer.ID) bool  { return true }
func none(peer.ID) bool { return false }

func ids(infos []peer.AddrInfo) []peer.ID {
	out := make([]peer.ID, len(infos))
	for i, in := range infos {
		out[i] = in.ID
	}
	return out
}

func TestDistanceIsTheXORMetricOfKadDHT(t *testing.T) {
	p := makePeer(1)
	place := sha256.Sum256([]byte(p))
	if d := Distance(wire.Key(place), p); d != [32]byte{} {
		t.Fatalf("distance to its own place is %x", d)
	}
	var key wire.Key
	if d := Distance(key, p); !bytes.Equal(d[:], place[:]) {
		t.Fatalf("distance to zero is %x, want %x", d, place)
	}
}

func TestNearestAreAskedFirstWithinAlpha(t *testing.T) {
	m := testMachine(testLimits())
	infos := makeInfos(testKey, 30)
	shuffled := slices.Clone(infos)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	m.add(shuffled, 0, all)
	e := m.step(0)
	if want := ids(infos[:Alpha]); !slices.Equal(ids(e.ask), want) {
		t.Fatalf("asked %v, want the nearest %v", ids(e.ask), want)
	}
	if e.done {
		t.Fatal("done with all asks out")
	}
	if e := m.step(0); len(e.ask) != 0 {
		t.Fatalf("asked %d more with all slots taken", len(e.ask))
	}
	m.answered(infos[3].ID, nil, all, 50*time.Millisecond)
	if e := m.step(50 * time.Millisecond); !slices.Equal(ids(e.ask), ids(infos[Alpha:Alpha+1])) {
		t.Fatalf("a freed slot went to %v, want %v", ids(e.ask), infos[Alpha].ID)
	}
}

func TestSlotsAreSharedBetweenConnectedAndDialled(t *testing.T) {
	infos := makeInfos(testKey, 40)
	for _, c := range []struct {
		name           string
		connected      func(rank int) bool
		wantC, wantD   int
		wantNearestToo bool // the nearest of the unconnected is asked at once
	}{
		{"all connected", func(int) bool { return true }, 10, 0, false},
		{"none connected", func(int) bool { return false }, 0, 10, true},
		{"half", func(r int) bool { return r%2 == 1 }, 8, 2, true},
		{"two in five", func(r int) bool { return r%5 < 2 }, 8, 2, true},
		{"three near", func(r int) bool { return r < 3 }, 3, 7, true},
		{"three far in the window", func(r int) bool { return r >= 17 && r < 20 }, 3, 7, true},
		{"only beyond the window", func(r int) bool { return r >= 20 }, 3, 7, true},
		{"one in the window, more beyond", func(r int) bool { return r == 5 || r >= 30 }, 3, 7, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := make(map[peer.ID]bool)
			for r, in := range infos {
				live[in.ID] = c.connected(r)
			}
			m := testMachine(testLimits())
			m.add(infos, 0, func(p peer.ID) bool { return live[p] })
			e := m.step(0)
			conn, dial := 0, 0
			for _, in := range e.ask {
				if live[in.ID] {
					conn++
				} else {
					dial++
				}
			}
			if conn != c.wantC || dial != c.wantD {
				t.Fatalf("asked %d connected and %d others, want %d and %d", conn, dial, c.wantC, c.wantD)
			}
			if c.wantNearestToo {
				i := slices.IndexFunc(infos, func(in peer.AddrInfo) bool { return !live[in.ID] })
				if !slices.Contains(ids(e.ask), infos[i].ID) {
					t.Fatal("the nearest unconnected node was not asked at once")
				}
			}
		})
	}
}

func TestWalkIsOverWhenTheNearestHaveSpoken(t *testing.T) {
	infos := makeInfos(testKey, 60)
	m := testMachine(testLimits())
	m.add(infos, 0, all)
	now := time.Duration(0)
	var asked []peer.ID
	for e := m.step(now); !e.done; e = m.step(now) {
		if len(e.ask) == 0 {
			t.Fatal("nothing to ask, and not over")
		}
		now += 50 * time.Millisecond
		for i, in := range e.ask {
			asked = append(asked, in.ID)
			if i%4 == 3 {
				m.failedAsk(in.ID, false)
			} else {
				m.answered(in.ID, nil, all, now)
			}
		}
	}
	r := m.result()
	if len(r.Closest) != K {
		t.Fatalf("%d answered, want %d", len(r.Closest), K)
	}
	if r.Asked != len(asked) || r.Failed != r.Asked-K {
		t.Fatalf("asked %d, failed %d; counted %d and %d", r.Asked, r.Failed, len(asked), len(asked)-K)
	}
	// Nobody beyond the window that the failures opened was asked.
	if want := ids(infos[:len(asked)]); !sameSet(asked, want) {
		t.Fatal("asked others than the nearest")
	}
}

func sameSet(a, b []peer.ID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestNodesOfOneNetworkFillTheWindowOnlyForWantOfOthers(t *testing.T) {
	infos := makeInfos(testKey, 60)
	for honest, want := range map[int]int{40: reach.PerNetwork, 10: K - 10, 0: K} {
		m := testMachine(testLimits())
		crowd := ids(infos[:60-honest]) // nearer than all others
		m.networkOf = func(p peer.ID) string {
			if slices.Contains(crowd, p) {
				return "1.2.3.0/24"
			}
			return string(p)
		}
		m.add(infos, 0, all)
		got := 0
		window := m.window(func(*candidate) bool { return false })
		for _, c := range window {
			if slices.Contains(crowd, c.id) {
				got++
			}
		}
		if got != want || len(window) != K {
			t.Errorf("%d others: %d of %d in the window are of one network, want %d", honest, got, len(window), want)
		}
	}
}

func TestNobodyKnownIsOverAtOnce(t *testing.T) {
	m := testMachine(testLimits())
	if e := m.step(0); !e.done || len(e.ask) != 0 {
		t.Fatalf("%+v", e)
	}
	if r := m.result(); r.Asked != 0 || len(r.Closest) != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestAnswersLeadCloser(t *testing.T) {
	infos := makeInfos(testKey, 100)
	m := testMachine(testLimits())
	far := infos[90:]
	m.add(far, 0, all)
	e := m.step(0)
	if len(e.ask) != 10 {
		t.Fatalf("asked %d", len(e.ask))
	}
	m.answered(far[0].ID, infos[:20], none, 50*time.Millisecond)
	e = m.step(50 * time.Millisecond)
	if len(e.ask) == 0 || e.ask[0].ID != infos[0].ID {
		t.Fatalf("asked %v, want the nearest told", ids(e.ask))
	}
	m.answered(infos[0].ID, nil, none, 150*time.Millisecond)
	if r := m.result(); r.Hops != 1 || r.Closest[0].ID != infos[0].ID {
		t.Fatalf("%+v", r)
	}
}

func TestSlowAnswerLosesItsSlotButCounts(t *testing.T) {
	infos := makeInfos(testKey, 20)
	m := testMachine(testLimits())
	m.add(infos, 0, all)
	m.step(0)
	const rtt = 50 * time.Millisecond
	for _, in := range infos[1:10] {
		m.answered(in.ID, nil, all, rtt)
	}
	e := m.step(rtt)
	if len(e.ask) != 9 {
		t.Fatalf("asked %d, want 9 beside the one still out", len(e.ask))
	}
	if e.wake != rtt*3/2 {
		t.Fatalf("wakes at %v, want 1.5 x typical", e.wake)
	}
	if e = m.step(rtt * 3 / 2); len(e.ask) != 1 {
		t.Fatalf("asked %d for the slot of the slow one, want 1", len(e.ask))
	}
	m.answered(infos[0].ID, nil, all, 2*rtt)
	for _, in := range infos[10:] {
		m.answered(in.ID, nil, all, 2*rtt)
	}
	if e = m.step(2 * rtt); !e.done {
		t.Fatal("not over")
	}
	if r := m.result(); len(r.Closest) != 20 || r.Closest[0].ID != infos[0].ID {
		t.Fatal("the slow answer does not count")
	}
}

func TestSilentNodeDoesNotHoldTheEnd(t *testing.T) {
	infos := makeInfos(testKey, 12)
	m := testMachine(testLimits())
	m.add(infos, 0, all)
	m.step(0)
	const rtt = 50 * time.Millisecond
	for _, in := range infos[1:10] {
		m.answered(in.ID, nil, all, rtt)
	}
	m.step(rtt)
	m.answered(infos[10].ID, nil, all, 2*rtt)
	m.answered(infos[11].ID, nil, all, 2*rtt)
	e := m.step(2 * rtt)
	if e.done || e.wake != minPatience {
		t.Fatalf("done %v, wakes at %v, want %v", e.done, e.wake, minPatience)
	}
	if e = m.step(minPatience); !e.done {
		t.Fatal("still held up")
	}
	if r := m.result(); len(r.Closest) != 11 {
		t.Fatalf("%d answered", len(r.Closest))
	}
}

func TestPatienceGrowsWithTheNetworkUpToTheTimeout(t *testing.T) {
	for _, c := range []struct{ rtt, want time.Duration }{
		{time.Millisecond, time.Second},
		{100 * time.Millisecond, time.Second},
		{300 * time.Millisecond, 2400 * time.Millisecond},
		{time.Second, 5 * time.Second},
	} {
		m := testMachine(testLimits())
		m.tookConnected = []time.Duration{c.rtt}
		if got := m.patience(&candidate{connected: true}); got != c.want {
			t.Errorf("at %v: %v, want %v", c.rtt, got, c.want)
		}
	}
}

func TestDialledIsGivenTwiceTheTime(t *testing.T) {
	m := testMachine(testLimits())
	m.tookConnected = []time.Duration{50 * time.Millisecond}
	if got := m.slowAfter(&candidate{}); got != 150*time.Millisecond {
		t.Fatalf("unseen dial slow after %v", got)
	}
	m.tookDialled = []time.Duration{80 * time.Millisecond, 100 * time.Millisecond, 900 * time.Millisecond}
	if got := m.slowAfter(&candidate{}); got != 150*time.Millisecond {
		t.Fatalf("dial slow after %v", got)
	}
}

func TestSecondChanceOnlyForANewAddressAndOnce(t *testing.T) {
	infos := makeInfos(testKey, 2)
	m := testMachine(testLimits())
	m.add(infos, 0, none)
	m.step(0)
	m.failedAsk(infos[0].ID, false)
	m.add(infos[:1], 1, none)
	if e := m.step(1); len(e.ask) != 0 {
		t.Fatal("asked again at the address that failed")
	}
	for i, want := range []int{1, 0} {
		m.add([]peer.AddrInfo{{ID: infos[0].ID, Addrs: []ma.Multiaddr{makeAddr(100 + i)}}}, 1, none)
		e := m.step(1)
		if len(e.ask) != want {
			t.Fatalf("new address %d: asked %d, want %d", i+1, len(e.ask), want)
		}
		m.failedAsk(infos[0].ID, false)
	}
}

func TestConnectionClosedUnderAnAskIsMadeAgainOnce(t *testing.T) {
	infos := makeInfos(testKey, 1)
	m := testMachine(testLimits())
	m.add(infos, 0, all)
	for i, want := range []int{1, 1, 0} {
		e := m.step(time.Duration(i))
		if len(e.ask) != want || e.done != (want == 0) {
			t.Fatalf("step %d: asked %d, done %v", i, len(e.ask), e.done)
		}
		m.failedAsk(infos[0].ID, true)
	}
	if r := m.result(); r.Asked != 1 || r.Failed != 1 {
		t.Fatalf("%+v", r)
	}
}

func TestLateRepeatedAndUnaskedAnswersAreIgnored(t *testing.T) {
	infos := makeInfos(testKey, 40)
	m := testMachine(testLimits())
	m.add(infos[:10], 0, all)
	m.answered(infos[0].ID, infos[10:], all, 0) // not asked yet
	m.answered(makePeer(999), infos[10:], all, 0)
	m.failedAsk(makePeer(999), false)
	m.failedAsk(infos[0].ID, false)
	m.step(0)
	m.failedAsk(infos[0].ID, false)
	m.answered(infos[0].ID, infos[10:], all, 1) // after its failure
	m.failedAsk(infos[0].ID, false)
	if len(m.cands) != 10 || m.fails != 1 {
		t.Fatalf("%d candidates, %d failures", len(m.cands), m.fails)
	}
	m.answered(infos[1].ID, nil, all, 1)
	m.answered(infos[1].ID, infos[10:], all, 2) // repeated
	if len(m.cands) != 10 {
		t.Fatal("a repeated answer was taken")
	}
}

func TestHostileAnswersAreCapped(t *testing.T) {
	self := makePeer(testSelf)
	huge := make([]peer.AddrInfo, 10000)
	for i := range huge {
		huge[i] = peer.AddrInfo{ID: makePeer(i + 1000), Addrs: []ma.Multiaddr{makeAddr(i)}}
	}
	for _, c := range []struct {
		name   string
		closer []peer.AddrInfo
		want   int // new candidates
	}{
		{"self", []peer.AddrInfo{{ID: self, Addrs: []ma.Multiaddr{makeAddr(1)}}}, 0},
		{"no addresses", []peer.AddrInfo{{ID: makePeer(500)}}, 0},
		{"empty ID", []peer.AddrInfo{{Addrs: []ma.Multiaddr{makeAddr(1)}}}, 0},
		{"nonsense ID", []peer.AddrInfo{{ID: "nonsense", Addrs: []ma.Multiaddr{makeAddr(1)}}}, 0},
		{"nil address", []peer.AddrInfo{{ID: makePeer(500), Addrs: []ma.Multiaddr{nil}}}, 0},
		{"ten thousand", huge, K},
		{"one node many times", slices.Repeat(huge[:1], 50), 1},
		{"the node itself", []peer.AddrInfo{{ID: makePeer(0), Addrs: []ma.Multiaddr{makeAddr(7)}}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := testMachine(testLimits())
			m.add([]peer.AddrInfo{{ID: makePeer(0), Addrs: []ma.Multiaddr{makeAddr(0)}}}, 0, all)
			m.step(0)
			m.answered(makePeer(0), c.closer, none, 1)
			if got := len(m.cands) - 1; got != c.want {
				t.Fatalf("%d new candidates, want %d", got, c.want)
			}
		})
	}
}

// TestEndlessTaleEnds has every node tell 20 new ones that are nearer still.
func TestEndlessTaleEnds(t *testing.T) {
	m := testMachine(testLimits())
	crowd := makeInfos(testKey, 6000)
	slices.Reverse(crowd)
	m.add(crowd[:20], 0, all)
	crowd = crowd[20:]
	now := time.Duration(0)
	steps := 0
	for e := m.step(now); !e.done; e = m.step(now) {
		now += time.Millisecond
		if steps++; steps > 10*maxAsked {
			t.Fatal("does not end")
		}
		for _, in := range e.ask {
			tale := crowd[:min(20, len(crowd))]
			crowd = crowd[len(tale):]
			m.answered(in.ID, tale, all, now)
		}
	}
	if m.asks > maxAsked || len(m.cands) > maxKnown {
		t.Fatalf("asked %d, kept %d", m.asks, len(m.cands))
	}
}

// TestAnySequenceEndsWithinItsCaps drives machines at random: whatever
// answers, fails or stays silent, a walk ends, asks nobody twice and returns
// the nearest of those that answered.
func TestAnySequenceEndsWithinItsCaps(t *testing.T) {
	infos := makeInfos(testKey, 400)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		live := func(p peer.ID) bool { return p[5]%3 == byte(seed%3) }
		m := testMachine(testLimits())
		m.add(infos[rng.IntN(200):][:1+rng.IntN(100)], 0, live)
		asks := make(map[peer.ID]int)
		answers := make(map[peer.ID]bool)
		var out []peer.ID
		now := time.Duration(0)
		for steps := 0; ; steps++ {
			e := m.step(now)
			for _, in := range e.ask {
				if asks[in.ID]++; asks[in.ID] > 1 {
					t.Fatalf("seed %d: asked twice", seed)
				}
				out = append(out, in.ID)
			}
			if conn, dial, _ := m.busy(); conn+dial > Alpha {
				t.Fatalf("seed %d: %d hold a slot", seed, conn+dial)
			}
			if e.done {
				break
			}
			if steps > 5000 {
				t.Fatalf("seed %d: does not end", seed)
			}
			if len(out) == 0 || rng.IntN(4) == 0 {
				if e.wake <= now {
					t.Fatalf("seed %d: nothing out and no time to wake", seed)
				}
				now = e.wake
				continue
			}
			now += time.Duration(rng.IntN(20)) * time.Millisecond
			i := rng.IntN(len(out))
			p := out[i]
			out = slices.Delete(out, i, i+1)
			switch rng.IntN(5) {
			case 0:
				m.failedAsk(p, false)
			case 1: // silent for ever
			default:
				answers[p] = true
				from := rng.IntN(380)
				m.answered(p, infos[from:from+20], live, now)
			}
		}
		want := make([]peer.ID, 0, K)
		for _, in := range infos {
			if answers[in.ID] && len(want) < K {
				want = append(want, in.ID)
			}
		}
		if got := ids(m.result().Closest); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d closest, want %d", seed, len(got), len(want))
		}
	}
}

func TestAnOverlayInOneNetworkIsNotAskedAllThrough(t *testing.T) {
	infos := makeInfos(testKey, 150)
	for i := range infos {
		infos[i].Addrs = []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/5.6.7.%d/udp/4001/quic-v1", i+1))}
	}
	m := testMachine(testLimits())
	m.networkOf = func(peer.ID) string { return "5.6.7.0/24" }
	m.add(infos, 0, none)
	for now := time.Duration(0); ; now += 50 * time.Millisecond {
		e := m.step(now)
		if e.done {
			break
		}
		for _, in := range e.ask {
			m.answered(in.ID, nil, none, now+time.Millisecond)
		}
	}
	if m.asks > 2*K {
		t.Errorf("%d of %d nodes asked", m.asks, len(infos))
	}
}

func TestNodeCannotBeHiddenInANetworkThatIsCrowded(t *testing.T) {
	at := func(in peer.AddrInfo, addr string) peer.AddrInfo {
		return peer.AddrInfo{ID: in.ID, Addrs: []ma.Multiaddr{ma.StringCast(addr)}}
	}
	infos := makeInfos(testKey, 60)
	m := testMachine(testLimits())
	for i := range infos {
		infos[i] = at(infos[i], fmt.Sprintf("/ip4/5.6.%d.1/udp/4001/quic-v1", i))
	}
	for i := range reach.PerNetwork {
		infos[i] = at(infos[i], fmt.Sprintf("/ip4/7.7.7.%d/udp/4001/quic-v1", i+1))
	}
	hidden := infos[reach.PerNetwork]
	m.add([]peer.AddrInfo{at(hidden, "/ip4/7.7.7.9/udp/4001/quic-v1")}, 1, none) // a liar is first
	m.add(infos, 1, none)
	if !slices.ContainsFunc(m.window(func(*candidate) bool { return false }), func(c *candidate) bool { return c.id == hidden.ID }) {
		t.Error("one of the nearest is not asked, by a liar's word for where it is")
	}
}
