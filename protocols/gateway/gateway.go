package gateway

import (
	"context"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Gateway carries plain TCP and Unix clients over pipes, as its rules say. Its
// methods may be called from several goroutines at once.
type Gateway struct {
	// Fixed after New.
	cfg     Config
	ctx     context.Context // of what the gateway does by itself
	cancel  context.CancelFunc
	places  *places // of all channels
	loops   *loops
	keepers *keepers // of the pipes that clients of socks rules name

	changing sync.Mutex // held by whoever changes the set of rules

	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	ended   bool

	tasks   sync.WaitGroup
	closing sync.Once
	joined  chan struct{}
}

// New makes a Gateway without rules and starts nothing.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gateway{
		cfg: cfg, ctx: ctx, cancel: cancel, loops: newLoops(),
		entries: make(map[string]*entry), joined: make(chan struct{}),
		places: &places{
			shared: true, what: "gateway channels", setting: settingChannels,
			eachWhat: "gateway channels of one client", eachSetting: settingPerClient,
		},
	}
	g.places.set(cfg.Limits.Channels, cfg.Limits.ChannelsPerClient)
	g.keepers = newKeepers(g)
	return g, nil
}

// The keys that move the caps.
const (
	settingChannels  = "limits.gateway_channels"
	settingPerClient = "limits.gateway_channels_per_client"
)

// Start restores the rules that were saved. A rule that cannot be had stays,
// with its reason, and is tried again; Start fails only when the store does.
func (g *Gateway) Start(ctx context.Context) error {
	saved, err := g.cfg.Store.Rules(ctx)
	if err != nil {
		return err
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	for _, r := range saved {
		e := newEntry(g, r)
		if !g.keep(e) {
			return errClosed()
		}
		if n, err := r.normalize(); err != nil {
			e.down(err)
		} else {
			e.rule = n
			e.restore(ctx)
		}
	}
	return nil
}

// Close ends every rule and resets every channel, and returns when they have
// ended. What was saved stays saved. It is idempotent.
func (g *Gateway) Close() error {
	g.closing.Do(func() {
		g.mu.Lock()
		g.ended = true
		g.mu.Unlock()
		g.cancel() // ends waits, so that changing is let go soon
		g.changing.Lock()
		defer g.changing.Unlock()
		var all sync.WaitGroup
		for _, e := range g.all() {
			all.Go(func() { e.end(false) })
		}
		all.Wait()
		g.keepers.close()
		g.tasks.Wait()
		close(g.joined)
	})
	<-g.joined
	return nil
}

// all lists the rules, in no order.
func (g *Gateway) all() []*entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*entry, 0, len(g.entries))
	for _, e := range g.entries {
		all = append(all, e)
	}
	return all
}

// keep adds a rule's entry; false after the end.
func (g *Gateway) keep(e *entry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	g.entries[e.id] = e
	return true
}

// forget takes a rule's entry away.
func (g *Gateway) forget(e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.entries[e.id] == e {
		delete(g.entries, e.id)
	}
}

// spawn runs a task that Close joins; false after the end.
func (g *Gateway) spawn(task func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	g.tasks.Go(task)
	return true
}

// begin counts something that Close waits for; false after the end.
func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	g.tasks.Add(1)
	return true
}

func errClosed() error { return wire.Errorf(wire.Closed, "the gateway is closed") }
