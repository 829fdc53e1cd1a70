package netwatch

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	quietTime = 100 * time.Millisecond // without more of it, and a burst is over
	burstTime = time.Second            // the longest burst
)

// Event is what was noticed.
type Event struct {
	Slept   time.Duration // how long the machine, or this process, slept; 0: it did not
	Changed bool          // addresses, interfaces or default routes have changed
	Gone    []netip.Addr  // addresses that the machine had, and has not any more
}

// Watch notices. The zero value is not ready; use New.
type Watch struct {
	tell func(Event)

	// Seams for tests.
	clocks func() reading
	look   func() (picture, error)
	source source
}

// source says that something has happened, until ctx ends. It does not return
// before that.
type source func(ctx context.Context, noted chan<- note)

// New makes a Watch that calls tell from Run, one call at a time. tell must not
// block for long.
func New(tell func(Event)) *Watch {
	return &Watch{tell: tell, clocks: clocks(), look: machine, source: listen}
}

// Run watches until ctx ends, and joins what it started.
func (w *Watch) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	noted := make(chan note)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var b burst
	b.refresh(w.look)
	running.Go(func() { w.source(ctx, noted) })

	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	over := time.NewTimer(0) // of the burst
	over.Stop()
	defer over.Stop()
	last := w.clocks()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-noted:
			over.Reset(b.add(n, time.Now()))
		case <-over.C:
			if e := b.end(w.look); e.Changed {
				w.tell(e)
			}
		case <-tick.C:
			now := w.clocks()
			if d := slept(last, now); d > 0 {
				over.Stop() // what happened meanwhile is told along
				e := b.end(w.look)
				e.Slept = d
				w.tell(e)
			}
			last = now
		}
	}
}

// burst gathers what happens at about the same time.
type burst struct {
	seen  picture      // before
	since time.Time    // the first of the notes; zero for none
	fell  map[int]bool // interfaces that the notes name
	other bool
}

// add takes in a note, and returns when to end the burst unless more comes.
func (b *burst) add(n note, now time.Time) time.Duration {
	if b.since.IsZero() {
		b.since = now
		b.fell = make(map[int]bool)
	}
	if n.fell != 0 {
		b.fell[n.fell] = true
	}
	b.other = b.other || n.other
	return max(0, min(quietTime, b.since.Add(burstTime).Sub(now)))
}

// end looks what there is now, and says what has changed.
func (b *burst) end(look func() (picture, error)) (e Event) {
	before := b.seen
	b.refresh(look)
	e.Changed, e.Gone = compare(before, b.seen, b.fell)
	e.Changed = e.Changed || b.other
	b.since, b.fell, b.other = time.Time{}, nil, false
	return e
}

// refresh looks anew. What cannot be read is taken to be as it was.
func (b *burst) refresh(look func() (picture, error)) {
	if p, err := look(); err == nil {
		b.seen = p
	}
}

// pollTime is how often the interfaces are read where nobody tells of changes.
const pollTime = 5 * time.Second

// poll has the interfaces read again and again.
func poll(ctx context.Context, noted chan<- note) {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			send(ctx, noted, note{})
		}
	}
}

func send(ctx context.Context, noted chan<- note, n note) {
	select {
	case noted <- n:
	case <-ctx.Done():
	}
}
