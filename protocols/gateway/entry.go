package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// State says how a rule stands.
type State string

// The states of a rule.
const (
	Up       State = "up"       // it takes clients
	Waiting  State = "waiting"  // it cannot, for now, and is tried again
	Failed   State = "failed"   // it cannot until somebody changes something
	Draining State = "draining" // it was removed, and its last channels go on
)

// entry is a rule with what stands for it.
//
//	         start                        remove with drain
//	waiting ───────▶ up ──────────────────────────────────▶ draining
//	   ▲  ◀───────────┤ lost what it stands on
//	   │ retry        └─▶ failed (another binder has the pipe, a right is revoked, …)
type entry struct {
	g  *Gateway
	id string

	places *places // of the rule's own channels

	turn sync.Mutex // held by whoever starts, changes or ends what stands

	// Guarded by turn.
	run  runner // nil while nothing stands
	gone bool   // removed: nothing is started any more

	mu       sync.Mutex // guards what follows
	rule     Rule
	state    State
	err      error     // why it is not up
	since    time.Time // of state
	tries    int       // since it was up
	retry    *time.Timer
	channels map[*channel]struct{}
	counts   counts
}

// runner is what stands for a rule while it is up.
type runner interface {
	// change brings what stands in line with a rule that it can be kept for.
	change(ctx context.Context, r Rule) error
	// close stops to take clients. Channels stay.
	close()
	// status adds what it knows.
	status(*Status)
}

func newEntry(g *Gateway, r Rule) *entry {
	e := &entry{
		g: g, id: r.ID, rule: r, state: Waiting, since: time.Now(), channels: make(map[*channel]struct{}),
		places: &places{
			what: "channels of rule " + r.ID, setting: "max_channels of the rule",
			eachWhat: "channels of one client of rule " + r.ID, eachSetting: "max_per_client of the rule",
		},
	}
	e.places.set(r.MaxChannels, r.MaxPerClient)
	return e
}

// now is the rule as it stands.
func (e *entry) now() Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rule
}

// standFor makes what stands for a rule.
func (e *entry) standFor(ctx context.Context, r Rule) (runner, error) {
	if r.Kind == Expose {
		return e.expose(ctx, r)
	}
	return e.listen(ctx, r)
}

// start has the rule taken up; turn is held.
func (e *entry) start(ctx context.Context) error {
	run, err := e.standFor(ctx, e.now())
	if err != nil {
		return err
	}
	e.run = run
	e.up()
	return nil
}

// restore takes up a rule that was saved: at once where it listens, and as soon
// as the node is ready where it binds.
func (e *entry) restore(ctx context.Context) {
	if e.now().Kind == Expose {
		e.g.spawn(func() {
			if e.g.cfg.Ready(e.g.ctx) == nil {
				e.again()
			}
		})
		return
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	if err := e.start(ctx); err != nil {
		e.down(err)
	}
}

// up notes that the rule takes clients.
func (e *entry) up() {
	e.mu.Lock()
	e.state, e.err, e.since, e.tries = Up, nil, time.Now(), 0
	e.mu.Unlock()
	e.trace(Event{Kind: EventRuleUp})
}

// down notes why the rule takes none, and has it tried again if that may help.
func (e *entry) down(err error) {
	e.mu.Lock()
	e.state, e.err, e.since = Waiting, err, time.Now()
	if !passes(err) {
		e.state = Failed
	} else {
		e.retry = time.AfterFunc(pause(e.tries), func() { e.g.spawn(e.again) })
		e.tries++
	}
	e.mu.Unlock()
	e.trace(Event{Kind: EventRuleDown, Err: err})
	e.g.cfg.Log.Warn("gateway rule is down", "rule", e.id, "error", err, "next", wire.NextOf(err))
}

// again tries a rule that is down.
func (e *entry) again() {
	e.turn.Lock()
	defer e.turn.Unlock()
	if e.gone || e.run != nil {
		return
	}
	if err := e.start(e.g.ctx); err != nil && e.g.ctx.Err() == nil {
		e.down(err)
	}
}

// lost notes that what stood for the rule has ended by itself, if it still is
// what stands.
func (e *entry) lost(run runner, still func() bool, err error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	if e.run != run || e.gone || still != nil && !still() {
		return
	}
	e.run.close()
	e.run = nil
	e.down(err)
}

// end takes down what stands. Unless they may drain, channels are reset.
func (e *entry) end(drain bool) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.gone = true
	if e.run != nil {
		e.run.close()
		e.run = nil
	}
	e.mu.Lock()
	if e.retry != nil {
		e.retry.Stop()
	}
	e.state, e.err, e.since = Draining, nil, time.Now()
	var open []*channel
	if !drain {
		for c := range e.channels {
			open = append(open, c)
		}
	}
	e.mu.Unlock()
	for _, c := range open {
		c.abort(wire.Closed, "the gateway's rule was removed")
	}
}

// pause is how long a rule that is down rests before it is tried again.
func pause(tries int) time.Duration { return min(time.Second<<min(tries, 5), 30*time.Second) }

// passes reports that a failure may be over at the next try.
func passes(err error) bool {
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.Forbidden, wire.Replaced, wire.Expired, wire.Unsupported, wire.TooLarge:
		return false
	}
	return true
}

func (e *entry) trace(v Event) {
	v.Rule, v.Of = e.id, e.now().Kind
	if v.Code == wire.OK {
		v.Code = wire.CodeOf(v.Err)
	}
	e.g.cfg.Trace(v)
}
