package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	publishTime  = time.Minute     // the longest that one record is carried around
	replacedTime = 2 * time.Second // an old binder that is silent for so long is not waited for
	hearsayTime  = time.Second     // nodes that are named and not heard are not waited for longer
)

// publication brings one record to the nodes that are to hold it. It is the
// state of one record alone: who has it, who must be told, what is in its way.
// A walk drives it, whose question is the Store itself, so that each node costs
// one message; or a sweep drives many.
//
//	own holder, nodes ─┬▶ enough copies, old binder told: done closes ─▶ the other nodes ─▶ over closes
//	                   └▶ a node shows a record that stands in the way: verdict, blocked closes
type publication struct {
	// Fixed after newPublication.
	s       *Service
	record  Record
	key     wire.Key
	auto    bool // a binding of another at the same term stands in the way too
	heard   *acknowledged
	ctx     context.Context // of all that the publication does
	stop    context.CancelFunc
	begun   time.Time
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
	doubts   bool           // hearsay counts no more
	wg       sync.WaitGroup // tells of old binders
}

// newPublication makes a publication that has time to go on, also when ctx is
// over. Its driver calls begin, then missed, or saw and read, for every node
// that was asked, then finish.
func (s *Service) newPublication(ctx context.Context, r Record, most time.Duration) *publication {
	ctx, cancel := s.beyond(ctx, most)
	p := &publication{
		s: s, record: r, key: r.Pipe().Key(), heard: new(acknowledged), ctx: ctx, stop: cancel, begun: time.Now(),
		done: make(chan struct{}), blocked: make(chan struct{}), over: make(chan struct{}),
		told: make(map[peer.ID]bool),
	}
	p.progress.key, p.progress.networkOf = p.key, s.network
	return p
}

// publish starts to bring a record to its holders by a walk, and goes on when
// ctx is over.
func (s *Service) publish(ctx context.Context, r Record, auto bool) *publication {
	p := s.newPublication(ctx, r, publishTime)
	p.auto = auto
	p.walk(func(int, error) {})
	return p
}

// walk starts to bring the record to the nodes on the way to its key, and tells
// in the end how many messages that took.
func (p *publication) walk(ended func(messages int, err error)) {
	started := p.s.spawn(func(context.Context) {
		patience := time.AfterFunc(hearsayTime, p.doubt)
		defer patience.Stop()
		p.begin()
		r, err := p.s.cfg.Router.Walk(p.ctx, p.key, p.ask)
		if err != nil {
			p.note(err)
		}
		p.finish()
		ended(r.Asked, err)
	})
	if !started {
		p.fail(errClosed())
	}
}

// begin makes this node a holder, if it is close enough, and returns the nodes
// known near the key.
func (p *publication) begin() []peer.AddrInfo {
	near := p.s.cfg.Router.Closer(p.key, Replication)
	p.saw(false, near)
	var a Answer
	out, err := p.s.holdVerified(Deposit{From: p.s.cfg.Self}, p.record, time.Now(), &a)
	r := StoreResult{Code: wire.CodeOf(err), Outcome: out}
	if err != nil {
		r.Reason = err.Error()
	}
	p.readRevocations(a)
	p.read(p.s.cfg.Self, r)
	return near
}

// finish waits for old binders that are still being told, and ends the publication.
func (p *publication) finish() {
	p.wg.Wait()
	p.s.trace(EventBind, p.result(), time.Since(p.begun))
	p.stop()
	close(p.over)
}

// fail ends a publication that could not even begin.
func (p *publication) fail(err error) {
	p.note(err)
	p.stop()
	close(p.over)
}

// ask stores at one node, in the time that the walk gives it.
func (p *publication) ask(ctx context.Context, to peer.AddrInfo) ([]peer.AddrInfo, error) {
	a, err := p.s.store(ctx, to, p.key, []Record{p.record})
	if err != nil {
		p.missed(to.ID, err)
		return a.Closer, err
	}
	p.saw(true, a.Closer)
	p.readRevocations(a)
	p.read(to.ID, a.Results[0])
	return a.Closer, nil
}

// saw notes nodes that exist.
func (p *publication) saw(hearsay bool, nodes []peer.AddrInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.saw(hearsay, nodes...)
}

// doubt counts only nodes that this node has heard itself, from now on: who
// names ghosts must not keep a record from being safe.
func (p *publication) doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubts = true
	p.checkLocked()
}

// missed notes that a node did not answer well.
func (p *publication) missed(from peer.ID, err error) {
	p.note(err)
	p.mark(from, silent)
}

func (p *publication) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err
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
	if !p.isDone && p.verdict == nil && p.telling == 0 && p.progress.enough(!p.doubts) {
		p.isDone = true
		close(p.done)
	}
}

// copies is how many nodes have the record, this one counted if it does.
func (p *publication) copies() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, _ := p.progress.copies(true)
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

// unheard reports that others are there to hold the record, and that nobody but
// this node has it: it should be tried again.
func (p *publication) unheard() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, elsewhere := p.progress.held(p.s.cfg.Self)
	return p.verdict == nil && !elsewhere && p.progress.others(p.s.cfg.Self)
}

// outcome is what each of the other nodes that were asked did.
func (p *publication) outcome() map[peer.ID]copyState {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[peer.ID]copyState)
	for _, n := range p.progress.nodes {
		if n.state != notAsked && n.id != p.s.cfg.Self {
			out[n.id] = n.state
		}
	}
	return out
}
