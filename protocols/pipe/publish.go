package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	publishTime  = time.Minute     // the longest that one record is carried around
	replacedTime = 2 * time.Second // an old binder that is silent for so long is not waited for
)

// publication brings one record to the nodes that are to hold it. The walk's
// question is the Store itself, so that each node costs one message.
//
//	own holder, walk ─┬▶ enough copies, old binder told: done closes ─▶ rest of the walk ─▶ over closes
//	                  └▶ a node shows a record that stands in the way: verdict, blocked closes
type publication struct {
	// Fixed after publish.
	s       *Service
	record  Record
	key     wire.Key
	auto    bool // a binding of another at the same term stands in the way too
	stop    context.CancelFunc
	done    chan struct{}
	blocked chan struct{}
	over    chan struct{}

	mu       sync.Mutex // guards what follows
	progress progress
	telling  int              // old binders that have not acknowledged yet
	told     map[peer.ID]bool // old binders
	verdict  *obstacle        // first thing in the way
	lastErr  error            // of the nodes that failed or refused
	isDone   bool
	wg       sync.WaitGroup // tells of old binders
}

// obstacle is a verified record that stands in the way of a binding.
type obstacle struct {
	binding  Binding
	envelope []byte
}

// publish starts to bring a record to its holders, and goes on when ctx is over.
func (s *Service) publish(ctx context.Context, r Record, auto bool) *publication {
	ctx, cancel := s.beyond(ctx, publishTime)
	p := &publication{
		s: s, record: r, key: r.Pipe().Key(), auto: auto, stop: cancel,
		done: make(chan struct{}), blocked: make(chan struct{}), over: make(chan struct{}),
		told: make(map[peer.ID]bool),
	}
	p.progress.key = p.key
	if !s.spawn(func(context.Context) { p.run(ctx) }) {
		p.lastErr = errClosed()
		cancel()
		close(p.over)
	}
	return p
}

func (p *publication) run(ctx context.Context) {
	defer close(p.over)
	defer p.stop()
	started := time.Now()
	p.mu.Lock()
	for _, n := range p.s.cfg.Router.Closer(p.key, Replication) {
		p.progress.saw(n.ID)
	}
	p.mu.Unlock()
	p.storeHere(ctx)
	// What an answer sets going outlives the one ask: it has the publication's time.
	ask := func(asking context.Context, to peer.AddrInfo) ([]peer.AddrInfo, error) { return p.ask(asking, ctx, to) }
	if _, err := p.s.cfg.Router.Walk(ctx, p.key, ask); err != nil {
		p.note(err)
	}
	p.wg.Wait()
	p.s.trace(EventBind, p.result(), time.Since(started))
}

// storeHere makes this node a holder of its own record if it is close enough.
func (p *publication) storeHere(ctx context.Context) {
	var a Answer
	out, err := p.s.holdVerified(Deposit{From: p.s.cfg.Self}, p.record, time.Now(), &a)
	r := StoreResult{Code: wire.CodeOf(err), Outcome: out}
	if err != nil {
		r.Reason = err.Error()
	}
	a.Results = []StoreResult{r}
	p.read(ctx, p.s.cfg.Self, a)
}

// ask stores at one node, in the time that the walk gives it; all is the time
// of the whole publication.
func (p *publication) ask(asking, all context.Context, to peer.AddrInfo) ([]peer.AddrInfo, error) {
	a, err := p.s.store(asking, to, p.key, []Record{p.record})
	if err != nil {
		p.note(err)
		p.mark(to.ID, silent)
		return a.Closer, err
	}
	p.mu.Lock()
	for _, n := range a.Closer {
		p.progress.saw(n.ID)
	}
	p.mu.Unlock()
	p.read(all, to.ID, a)
	return a.Closer, nil
}

func (p *publication) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err
}

// read takes in what a holder answered.
func (p *publication) read(ctx context.Context, from peer.ID, a Answer) {
	p.s.readRevocations(p.record.Pipe(), a.Revocations)
	r := a.Results[0]
	if r.Code == wire.OK {
		for _, envelope := range r.Displaced {
			p.displaced(ctx, envelope)
		}
		p.mark(from, stored)
		return
	}
	if r.Code != wire.NotClose {
		p.note(r.Err())
	}
	switch {
	case r.Code == wire.Forbidden && len(r.Standing) > 0:
		p.s.readRevocation(p.record.Pipe(), r.Standing)
	case len(r.Standing) > 0:
		p.standing(r.Standing)
	}
	p.mark(from, refused)
}

// mark notes what a node did, and closes done when the record is safe and the
// old binder knows.
func (p *publication) mark(from peer.ID, state copyState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.set(from, state)
	p.checkLocked()
}

func (p *publication) checkLocked() {
	if !p.isDone && p.verdict == nil && p.telling == 0 && p.progress.enough() {
		p.isDone = true
		close(p.done)
	}
}

// standing judges a record that a holder did not want to give up: it must be
// proven, and really stand in the way.
func (p *publication) standing(envelope []byte) {
	b, err := openBindingOf(p.record.Pipe(), envelope, time.Now())
	if err != nil || p.record.Binding == nil {
		p.s.hostile(wire.Errorf(wire.BadRequest, "holder shows a record that stands in nobody's way: %v", err))
		return
	}
	if p.yields(b, time.Now()) {
		p.block(b, envelope)
	}
}

// yields reports that the record must give way to b. One whose capability is
// revoked stands in nobody's way, and at one term an expired or withdrawn one
// of another binder does not either.
func (p *publication) yields(b Binding, now time.Time) bool {
	own := *p.record.Binding
	return !p.s.revoked.voids(b) && b.Beats(own) && (b.Binder == own.Binder || b.Term > own.Term || b.LiveAt(now))
}

// displaced judges a record that a holder gave up for this one, and tells its
// binder.
func (p *publication) displaced(ctx context.Context, envelope []byte) {
	own := p.record.Binding
	if own == nil {
		return
	}
	b, err := openBindingOf(own.Pipe, envelope, time.Now())
	if err != nil {
		p.s.hostile(err)
		return
	}
	id, ok := b.Binder.Peer()
	switch {
	case !ok || id == p.s.cfg.Self || own.Withdrawn || p.s.revoked.voids(b):
		return
	case p.auto && (b.Term > own.Term || b.Term == own.Term && b.LiveAt(time.Now())):
		p.block(b, envelope)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[id] {
		return
	}
	p.told[id] = true
	p.telling++
	p.wg.Go(func() { p.tell(ctx, peer.AddrInfo{ID: id, Addrs: unseen(Found{Binding: b}).few()}) })
}

// tell lets the old binder know, and waits until it has stopped to serve.
func (p *publication) tell(ctx context.Context, to peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(ctx, replacedTime)
	defer cancel()
	_, err := p.s.request(ctx, to, &pb.Request{Op: &pb.Request_Replaced{
		Replaced: &pb.Replaced{Binding: p.record.Envelope},
	}})
	if err != nil {
		p.s.cfg.Log.Info("the old binder did not acknowledge that it is replaced", "pipe", p.record.Pipe(), "binder", to.ID, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.telling--
	p.checkLocked()
}

func (p *publication) block(b Binding, envelope []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verdict == nil {
		p.verdict = &obstacle{b, envelope}
		close(p.blocked)
	}
}

// obstacle returns what stands in the way, nil if nothing does.
func (p *publication) obstacle() *obstacle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verdict
}

// copies is how many nodes have the record, this one counted if it does.
func (p *publication) copies() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, _ := p.progress.copies()
	return all
}

// result tells whether the record is held where others find it, once done or
// over. This node's own copy is enough as long as nobody has refused one.
func (p *publication) result() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, elsewhere := p.progress.held(p.s.cfg.Self)
	switch {
	case p.verdict != nil:
		return wire.Taken
	case elsewhere || all && !p.progress.anyRefused():
		return nil
	case p.lastErr != nil:
		return wire.Errorf(wire.CodeOf(p.lastErr), "no node holds the record: %w", p.lastErr)
	}
	return wire.Errorf(wire.Unreachable, "no node was there to hold the record")
}
