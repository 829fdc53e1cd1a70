package pipe

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	enoughHolders = 3                // a search goes on until so many have spoken
	searchTime    = 30 * time.Second // and no longer than this
)

// search finds the records of one pipe. It yields the first proven binding at
// once and goes on in the background.
//
//	start ─▶ ask known nodes ─┬─▶ first live binding: found closes
//	      └▶ walk ────────────┴─▶ three holders, walk over, or stopped: done closes
type search struct {
	// Fixed after start.
	s         *Service
	id        ID
	query     Query
	pins      []peer.ID // binders that count; empty for all
	self      bool      // only what each asked node serves itself counts
	begun     time.Time
	patient   bool // as in the plan
	stop      context.CancelFunc
	found     chan struct{} // closed when a binding that counts is live
	described chan struct{} // closed when the advertisement is known
	done      chan struct{} // closed when nobody is asked any more

	mu            sync.Mutex // guards what follows
	known         known
	advertisement *Advertisement
	holders       map[peer.ID]bool // who has spoken
	doubted       []peer.AddrInfo  // binders to be asked whether they serve under an old term
	confirmed     map[peer.ID]bool // those ever in doubted
	asked, failed int
	lastErr       error
	took          time.Duration // until found
	has           bool          // found is closed
}

// plan says whom a search asks.
type plan struct {
	here   bool            // this node's own listeners and holder
	direct []peer.AddrInfo // asked at once
	walk   bool            // and the nodes towards the key
	// patient goes on when three holders have spoken, until the walk is over.
	patient bool
	// wide has the nodes asked for all binders, though those wanted count alone.
	wide bool
}

// start begins a search. A service that has ended finds nothing.
// It goes on when ctx is over.
func (s *Service) start(ctx context.Context, id ID, q Query, p plan) *search {
	ctx, cancel := s.beyond(ctx, searchTime)
	pins := q.Only
	if p.wide {
		q.Only = nil
	}
	x := &search{
		s: s, id: id, query: q, pins: pins, self: q.NoCache, patient: p.patient, begun: time.Now(), stop: cancel,
		found: make(chan struct{}), described: make(chan struct{}), done: make(chan struct{}), holders: make(map[peer.ID]bool), confirmed: make(map[peer.ID]bool),
	}
	if p.here {
		x.lookHere()
	}
	if !s.spawn(func(context.Context) { x.run(ctx, p) }) {
		x.lastErr = errClosed()
		cancel()
		close(x.done)
	}
	return x
}

// run asks until enough is known, then returns with everything joined.
func (x *search) run(ctx context.Context, p plan) {
	defer close(x.done)
	defer x.stop()
	var wg sync.WaitGroup
	for _, to := range append(x.doubtful(), p.direct...) {
		wg.Go(func() { x.askDirect(ctx, to) })
	}
	if p.walk {
		if _, err := x.s.cfg.Router.Walk(ctx, x.query.Key, x.ask); err != nil {
			x.note(err)
		}
	}
	wg.Wait()
}

// askDirect asks one node that a caller has named, wherever it is.
func (x *search) askDirect(ctx context.Context, to peer.AddrInfo) {
	if _, err := x.ask(ctx, to); err == nil || len(to.Addrs) > 0 || wire.CodeOf(err) != wire.Unreachable {
		return
	}
	if to = x.s.locate(ctx, to.ID); len(to.Addrs) > 0 {
		_, _ = x.ask(ctx, to) // noted by ask itself
	}
}

// lookHere takes in what this node serves or holds itself.
func (x *search) lookHere() {
	if f, ok := x.s.serves(x.id); ok {
		x.take(f)
	}
	if x.self {
		return
	}
	now := time.Now()
	x.s.holderMu.Lock()
	h, ok := x.s.holder.Get(x.query.Key, now)
	x.s.holderMu.Unlock()
	if !ok {
		return
	}
	a := Answer{Revocations: h.Revocations, Advertisement: h.Advertisement.Bytes()}
	for _, r := range h.Records {
		a.give(r.Envelope, r.Age, OriginHeld, r.Unproven)
	}
	x.read(x.s.cfg.Self, a)
}

// ask puts the query to one node.
func (x *search) ask(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
	a, err := x.s.query(ctx, p, x.id, x.query)
	x.mu.Lock()
	x.asked++
	if err != nil {
		x.failed++
		x.lastErr = err
	}
	x.mu.Unlock()
	if err != nil {
		return a.Closer, err
	}
	x.read(p.ID, a)
	for _, to := range x.doubtful() {
		_, _ = x.ask(ctx, to) // noted by ask itself
	}
	return a.Closer, nil
}

func (x *search) note(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lastErr == nil {
		x.lastErr = err
	}
}

// read takes in what an answer proves, and drops the rest.
func (x *search) read(from peer.ID, a Answer) {
	x.s.readRevocations(x.id, a.Revocations)
	if a.Advertisement != nil {
		x.readAdvertisement(a.Advertisement)
	}
	spoken, hostile := false, 0
	for _, r := range a.Records {
		if hostile == maxHostile {
			break
		}
		f, err := x.prove(from, r)
		if err != nil {
			x.s.hostile(err)
			hostile++
			continue
		}
		if x.take(f) && r.Origin != OriginCached {
			spoken = true
		}
	}
	if spoken {
		x.heard(from)
	}
}

// heard counts a holder, and ends the search when enough have spoken.
func (x *search) heard(from peer.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.holders[from] = true
	if len(x.holders) >= enoughHolders && x.has && !x.patient {
		x.stop()
	}
}

// take adds a proven record. It reports whether the record is one that counts,
// be it known already, and closes found at the first live binding.
func (x *search) take(f Found) bool {
	now := time.Now()
	if x.s.revoked.voids(f.Binding) {
		x.s.outlives(f.Binding, now)
		return false
	}
	x.mu.Lock()
	x.forgetLocked()
	if who, ok := f.Binding.Binder.Peer(); ok && x.known.doubts(f) {
		if !x.confirmed[who] && who != x.s.cfg.Self && f.Binding.InTime(now) == nil {
			x.confirmed[who] = true
			x.doubted = append(x.doubted, peer.AddrInfo{ID: who, Addrs: f.few()})
		}
		x.mu.Unlock()
		return false
	}
	x.known.add(f)
	x.describeLocked(f.Binding.Advertisement)
	if !x.has && len(offering(x.liveLocked(now), x.query.Transport)) > 0 {
		x.has = true
		x.took = time.Since(x.begun)
		close(x.found)
	}
	x.mu.Unlock()
	x.s.learn(now, f)
	return true
}

// forgetLocked drops what revocations, learned meanwhile, have ended.
func (x *search) forgetLocked() {
	x.known.void(x.s.revoked.voids)
	cached := x.s.cache.records(x.id)
	x.known.raise(cached.voided)
}

// doubtful returns whose records need their binder's own word, each once.
func (x *search) doubtful() []peer.AddrInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.doubted
	x.doubted = nil
	return out
}

// liveLocked returns the live bindings that count.
func (x *search) liveLocked(now time.Time) []Found {
	x.forgetLocked()
	var out []Found
	for _, f := range x.known.live(now) {
		who, _ := f.Binding.Binder.Peer()
		pinned := len(x.pins) == 0 || slices.Contains(x.pins, who)
		if pinned && (!x.self || f.Origin == OriginAuthoritative) {
			out = append(out, f)
		}
	}
	return out
}

// live returns all that serve the pipe, wanted or not.
func (x *search) live() []Found {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forgetLocked()
	return agedAll(x.known.live(time.Now()), time.Now())
}

// count is how many nodes were asked so far.
func (x *search) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
}

func (x *search) readAdvertisement(b []byte) {
	a, err := ParseAdvertisement(b)
	if err == nil && a.ID() != x.id {
		err = wire.Errorf(wire.BadRequest, "advertisement of another pipe")
	}
	if err != nil {
		x.s.hostile(err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.describeLocked(a)
}

func (x *search) describeLocked(a Advertisement) {
	if x.advertisement == nil {
		x.advertisement = &a
		close(x.described)
	}
}

// outcome returns what has been found so far. Without a live binding it fails
// with Unbound, or with what kept the search from an answer.
func (x *search) outcome(t reach.Transport) (*Resolution, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	live := x.liveLocked(time.Now())
	usable := offering(live, t)
	switch {
	case len(usable) > 0:
		return &Resolution{
			Pipe: x.id, Advertisement: usable[0].Binding.Advertisement, Bindings: agedAll(usable, time.Now()),
			Asked: x.asked, Took: x.took,
		}, nil
	case len(live) > 0:
		return nil, notOffered(x.id, t, live)
	case x.asked == 0 && x.lastErr != nil, x.asked > 0 && x.failed == x.asked:
		return nil, wire.Errorf(wire.Unreachable, "pipe %s: none of %d nodes answered: %w", x.id, x.asked, x.lastErr).
			WithNext("see that this node has peers: panpipe status")
	}
	if all := x.known.live(time.Now()); len(x.pins) > 0 && len(all) > 0 {
		return nil, servedByOthers(x.id, x.pins, all)
	}
	return nil, unbound(x.id, x.asked)
}

func servedByOthers(id ID, wanted []peer.ID, all []Found) error {
	var who []string
	for _, f := range all {
		who = append(who, f.Binding.Binder.String())
	}
	return wire.Errorf(wire.Unbound, "pipe %s is not served by %v, but by %s", id, wanted, strings.Join(who, ", ")).
		WithNext("dial who serves it, or any binder")
}

func unbound(id ID, asked int) error {
	return wire.Errorf(wire.Unbound, "nobody serves pipe %s (%d nodes asked)", id, asked).
		WithNext("on the host that serves it: panpipe pipe listen %s; check the ID", id)
}

func notOffered(id ID, t reach.Transport, live []Found) error {
	return wire.Errorf(wire.Unsupported, "no binder of pipe %s is on transport %s; offered: %v", id, t, offered(live)).
		WithNext("ask for one of those transports, or for any")
}
