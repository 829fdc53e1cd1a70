package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// KeepOptions say how a Keeper dials; the fields are those of DialOptions.
type KeepOptions struct {
	Transport  reach.Transport
	Capability []byte
	PathPolicy PathPolicy
	Raw        bool
	Grace      time.Duration
	// Spread picks for each dial, of two binders at random, the one with fewer
	// connections; otherwise the one that worked last is used as long as it does.
	Spread bool
}

// ChannelOptions say how a Keeper dials once.
type ChannelOptions struct {
	Hops int // as in DialOptions
}

// Keeper dials one pipe many times. It keeps a watch at each of its binders: a
// link without data, which holds a carrier and a path open, is taken up again
// elsewhere when they are lost, and ends when the binder would not accept this
// node any more. So a dial needs neither to resolve nor to wait for anything.
//
//	        ┌───────── resolved: new ─────────┐
//	        ▼                                 │
//	connecting ── accepted ──▶ up ── ended ──▶ down ── gone from the records ──▶ dropped
//	   ▲                                      │
//	   └────────── after a pause, or a dial ──┘
type Keeper struct {
	// Fixed after Keep.
	s       *Service
	id      ID
	o       KeepOptions
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{} // of capacity one: there is something to look at
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	binders []*keptBinder
	adv     Advertisement // zero before the first record
	way     way
	changed chan struct{} // closed and renewed at each change
	asked   bool          // a round of resolving is wanted
	rounds  uint64        // of resolving, that have ended
	ended   time.Time     // when the last did
	found   time.Time     // when the last did that found a binder
	err     error         // of the last; nil if it found one
}

// KeeperState tells how a Keeper stands.
type KeeperState struct {
	Binders  []KeptBinder // that serve the pipe, the preferred first
	Resolved time.Time    // when binders were last found; zero before
	Err      error        // why there is no binder to dial, wire.NotReady until that is known; nil while there is one
}

// KeptBinder is one binder of a Keeper's pipe.
type KeptBinder struct {
	Principal identity.Principal
	Peer      peer.ID
	Transport reach.Transport // of the path; empty within one node, and while there is none
	Direct    bool
	RTT       time.Duration // zero while unknown
	Channels  int           // connections that the Keeper has open to it
	Err       error         // why it cannot be dialled now, wire.NotReady until it was tried; nil while it can
}

// Keep makes a Keeper, which begins at once, until it is closed or the Service
// is. It never fails: what is wrong shows in its State, and in Dial.
func (s *Service) Keep(id ID, o KeepOptions) *Keeper {
	ctx, cancel := context.WithCancel(s.ctx)
	k := &Keeper{
		s: s, id: id, o: o, ctx: ctx, cancel: cancel,
		wake: make(chan struct{}, 1), changed: make(chan struct{}), asked: true,
	}
	k.running.Add(1)
	if !s.spawn(func(context.Context) { defer k.running.Done(); k.run() }) {
		k.running.Done()
		cancel()
	}
	return k
}

// Close lets the binders go. Connections stay open. It is idempotent.
func (k *Keeper) Close() error {
	k.cancel()
	k.running.Wait()
	return nil
}

// Changed is closed at the next change of the State; channels that come and go
// are none.
func (k *Keeper) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// State tells how the Keeper stands.
func (k *Keeper) State() KeeperState {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := KeeperState{Resolved: k.found, Err: k.err}
	if k.err == nil && len(k.binders) == 0 {
		st.Err = wire.Errorf(wire.NotReady, "who serves pipe %s is being looked for", k.id)
	}
	for _, b := range k.binders {
		told := b.stateLocked()
		if st.Err == nil && len(k.binders) == 1 {
			st.Err = told.Err
		}
		st.Binders = append(st.Binders, told)
	}
	for _, b := range st.Binders {
		if b.Err == nil {
			st.Err = nil
		}
	}
	if k.ctx.Err() != nil {
		st.Err = errClosed()
	}
	return st
}

// change tells those who wait.
func (k *Keeper) change() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changeLocked()
}

func (k *Keeper) changeLocked() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// look has the Keeper look at the records again.
func (k *Keeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// ask wants a round of resolving.
func (k *Keeper) ask() {
	k.mu.Lock()
	k.asked = true
	k.mu.Unlock()
	k.look()
}

// errNoBinder is why a dial fails while a Keeper knows of none.
func (k *Keeper) errNoBinder() error {
	if k.err != nil {
		return k.err
	}
	return wire.Errorf(wire.Unbound, "nobody serves pipe %s", k.id)
}
