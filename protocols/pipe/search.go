package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

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
