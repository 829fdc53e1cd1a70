package roster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/account"
)

// leaveTime is how long Close waits for those who are told that this device
// leaves.
const leaveTime = time.Second

// Roster is the buddies of one account on one device. Its methods are safe for
// concurrent use, before, while and after it runs.
type Roster struct {
	// Fixed after New.
	cfg    Config
	net    network
	me     identity.Principal
	run    buddy.Run
	talks  *session.Conversations
	strict *throttle // of who says Hello
	asking *throttle // of who asks
	wake   chan struct{}
	saves  chan struct{}
	agreed chan struct{} // closed when an own device has told what it has
	agree  func()
	verify chan struct{} // places for strangers whose logs are verified
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	closed atomic.Bool

	following sync.Mutex    // held while catchUp acts; guards adopted and changed
	adopted   bool          // the account was acted upon for the first time
	changed   chan struct{} // closed when the account was acted upon again

	mu      sync.Mutex // guards what follows; never held while a conversation is called
	book    *book
	account account.Account // as this roster has acted upon it
	ours    names           // devices of the account that others have been shown
	logs    logCache
	links   map[uint64]*link
	last    uint64 // number of the last link
	status  string
	dirty   map[identity.Principal]bool // contacts to be stored
	marks   marks
	held    holdings
	watches map[*watch]bool
	calls   func(Line) // takes those that come; nil: nobody does
	leaving bool
	ended   bool // no new tasks
}

// New returns the roster of the keeper's account and starts nothing. Errors:
// NotReady without an account, BadRequest for a Config that cannot work, the
// Store's.
func New(cfg Config) (*Roster, error) {
	return newRoster(cfg, overlay{cfg.Pipes, cfg.Self, cfg.Keeper})
}

func newRoster(cfg Config, n network) (*Roster, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	a, _ := cfg.Keeper.Account()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Roster{
		cfg: cfg, net: n, me: a.ID(), run: buddy.NewRun(), ctx: ctx, cancel: cancel,
		strict: newThrottle(helloBurst, helloEvery), asking: newThrottle(askBurst, askEvery),
		wake: make(chan struct{}, 1), saves: make(chan struct{}, 1),
		agreed: make(chan struct{}), verify: make(chan struct{}, maxVerified),
		account: a, ours: namesOf(a.Log()), logs: newLogCache(),
		book:  &book{self: cfg.Self, contacts: make(map[identity.Principal]*contact)},
		links: make(map[uint64]*link), dirty: make(map[identity.Principal]bool),
		changed: make(chan struct{}), marks: newMarks(), held: make(holdings), watches: make(map[*watch]bool),
	}
	r.agree = sync.OnceFunc(func() { close(r.agreed) })
	if err := r.recall(); err != nil {
		cancel()
		return nil, err
	}
	r.talks = session.New(session.Config{
		Device: identity.PeerPrincipal(cfg.Self), Account: r.me, Journal: cfg.Journal, Observer: observer{r}, Now: cfg.Now,
	})
	r.catchUp()
	return r, nil
}

// Run serves until ctx is done or Close is called, and returns when all it
// started has ended.
func (r *Roster) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	r.remember(ctx)
	for _, service := range []func(){r.followAccount, r.bindPresence, r.bindContact, r.save, r.writeMarks} {
		r.spawn(service)
	}
	r.plan()
	return r.Close() //nolint:contextcheck // others are told after ctx is over
}

// Close tells those who are connected that this device leaves, withdraws what is
// bound, and joins everything. It takes at most a few seconds and is idempotent.
func (r *Roster) Close() error {
	if r.closed.CompareAndSwap(false, true) {
		r.catchUp() // this device may just have left the account
		r.leave()
		r.mu.Lock()
		r.ended = true
		r.cutLinesLocked()
		r.mu.Unlock()
		r.cancel()
	}
	<-r.ctx.Done()
	r.tasks.Wait()
	r.saveAll() // what the last links have left
	r.endWatches()
	return nil
}

// leave says goodbye on all roster links and waits until it is said.
func (r *Roster) leave() {
	r.mu.Lock()
	r.leaving = true
	var all []*link
	for _, l := range r.links {
		if l.purpose == buddy.PurposeRoster {
			l.say(func(s *sayings) { s.leave = true })
			all = append(all, l)
		}
	}
	r.mu.Unlock()
	patience := time.NewTimer(leaveTime)
	defer patience.Stop()
	for _, l := range all {
		select {
		case <-l.done:
		case <-patience.C:
			return
		}
	}
}

// spawn runs a task that Close joins. It is false when the roster has ended.
func (r *Roster) spawn(task func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.tasks.Go(task)
	return true
}

// plan has done what the book says, until the end.
func (r *Roster) plan() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		now := time.Now()
		r.mu.Lock()
		var do []action
		var next time.Time
		if !r.leaving && !r.account.Revoked() {
			do, next = r.book.step(now)
		}
		r.cutLinesLocked()
		r.tellPresenceLocked(now)
		r.mu.Unlock()
		for _, a := range do {
			r.do(a)
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// rouse has the book looked at again.
func (r *Roster) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// do begins an action.
func (r *Roster) do(a action) {
	task := map[actionKind]func(){
		look: func() { r.look(a) }, ask: func() { r.askAgain(a) }, dial: func() { r.dial(a) }, cut: func() { r.cut(a) },
	}[a.kind]
	r.spawn(task)
}

func (r *Roster) look(a action) {
	ctx, cancel := context.WithTimeout(r.ctx, lookTime)
	defer cancel()
	all, err := r.net.look(ctx, a.pipe, a.fresh)
	r.mu.Lock()
	c := r.book.contact(a.account)
	known := c.looked
	r.book.found(c, a.pipe.ID(), all, err, time.Now())
	if c.looked && !known {
		r.tellLocked(Event{Kind: EventBuddy, Account: a.account})
	}
	r.mu.Unlock()
	r.rouse()
}

// cut ends a link.
func (r *Roster) cut(a action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.book.contact(a.account).device(a.device).links[a.purpose]
	if l := r.links[s.number]; l != nil && s.live {
		l.dismiss(a.why)
	}
}

// Account is whose roster this is.
func (r *Roster) Account() identity.Principal { return r.me }
