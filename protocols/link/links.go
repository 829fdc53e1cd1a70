package link

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Links is all ends of links at this node. Its methods are safe for concurrent
// use.
type Links struct {
	// Fixed after New.
	cfg     Config
	memory  pool
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	acks    ackQueue
	parted  chan struct{} // of capacity one: a link has ended, or lost its leg

	mu        sync.Mutex // guards what follows
	closed    bool
	ends      map[ID]*Link    // until both sides know that they are over
	perPeer   map[peer.ID]int // ends, and handlers that run on after theirs
	judging   map[peer.ID]int // claims, by who makes them
	lingering int             // handlers that run on after their end is forgotten
	handling  map[string]int  // handlers that run, by service
	services  map[string]func(*Link)
	redials   map[Route]*redialing
}

// New prepares Links. Nothing runs before the first link.
func New(cfg Config) *Links {
	cfg.normalize()
	h := &Links{
		cfg: cfg, ends: make(map[ID]*Link), perPeer: make(map[peer.ID]int), judging: make(map[peer.ID]int),
		handling: make(map[string]int), services: make(map[string]func(*Link)), redials: make(map[Route]*redialing),
		parted: make(chan struct{}, 1),
	}
	h.memory.size = int64(cfg.Memory)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.acks.links = h
	return h
}

// Options is what Open may be told.
type Options struct {
	Service string        // what is opened, at most 64 bytes
	Route   Route         // where the far end is found again; its Peer is the path's
	Grace   time.Duration // how long the link waits for a leg; 0 is Config.Grace

	// Prompt ends the link when its first leg is lost before the far side has
	// answered: its opener has other ways, and decides itself.
	Prompt bool

	// Late has the opening wait for what is written first, for a millisecond at
	// most.
	Late bool

	// Only is as Link.Only; nil for all paths.
	Only func(reach.Path) bool
}

// Open opens a link to the far end of a path. It costs no round trip: what is
// written flies with it. Whether the far side takes it shows at the first Read.
//
// Errors: Limit for this node's own limits, Closed after Close, and those of
// the trunk.
func (h *Links) Open(ctx context.Context, p reach.Path, o Options) (*Link, error) {
	if len(o.Service) > maxService {
		return nil, wire.Errorf(wire.BadRequest, "the name of a service has %d bytes, at most %d are allowed", len(o.Service), maxService)
	}
	o.Route.Peer = p.Peer()
	setDefault(&o.Grace, h.cfg.Grace)
	l := h.newLink(newMachine(h.settings(NewID(), o.Service, true, o.Grace)), p.Peer(), o.Route)
	l.prompt, l.only = o.Prompt, o.Only
	if err := h.add(l); err != nil {
		return nil, err
	}
	if o.Late {
		l.mu.Lock()
		l.putOffLocked()
		l.mu.Unlock()
	}
	if err := l.attach(ctx, p, attachOptions{why: WhyOpened}); err != nil {
		l.Reset(wire.CodeOf(err), "no leg could be had")
		h.forget(l)
		return nil, err
	}
	return l, nil
}

func (h *Links) settings(id ID, service string, dialer bool, grace time.Duration) settings {
	return settings{
		id: id, service: service, dialer: dialer, grace: grace, most: h.cfg.Window, budget: &h.memory,
	}
}

// Handle has f serve the links that peers open to a service, each on a
// goroutine of its own. A nil f ends that.
func (h *Links) Handle(service string, f func(*Link)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f == nil {
		delete(h.services, service)
		return
	}
	h.services[service] = f
}

// add counts a link in.
func (h *Links) add(l *Link) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return errDown
	case h.ends[l.id] != nil:
		return errTaken
	case len(h.ends)+h.lingering >= h.cfg.Links:
		return wire.LimitError("links", int64(h.cfg.Links), "limits.links")
	case h.perPeer[l.far] >= h.cfg.LinksPerPeer:
		return wire.LimitError("links with one peer", int64(h.cfg.LinksPerPeer), "limits.links_per_peer")
	}
	if err := h.memory.admit(); err != nil {
		return err
	}
	h.ends[l.id], l.counted = l, l.far
	h.count(l.far, 1)
	if l.handled {
		h.running.Add(1)
		h.handling[l.service]++
	}
	return nil
}

// forget takes a link off the books that both sides know to be over.
func (h *Links) forget(l *Link) {
	l.retire()
	defer h.stir()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends[l.id] != l {
		return
	}
	delete(h.ends, l.id)
	if l.handled {
		h.lingering++
		return
	}
	h.leaves(l)
}

// leaves takes a link that is off the books out of the counts.
func (h *Links) leaves(l *Link) {
	h.count(l.counted, -1)
	h.memory.dismiss()
}

// served notes that the link's handler has returned. A handler counts as a link
// until then, so that nobody makes more of them by ending links early.
func (h *Links) served(l *Link) {
	defer h.running.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	l.handled = false
	if h.handling[l.service]--; h.handling[l.service] == 0 {
		delete(h.handling, l.service)
	}
	if h.ends[l.id] != l {
		h.lingering--
		h.leaves(l)
	}
}

// count counts links of a peer.
func (h *Links) count(p peer.ID, by int) {
	if h.perPeer[p] += by; h.perPeer[p] == 0 {
		delete(h.perPeer, p)
	}
}

// retire stops the link's timer.
func (l *Link) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// all lists the ends of links that there are.
func (h *Links) all() []*Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.ends))
}

// find returns an end of a link.
func (h *Links) find(id ID) *Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends[id]
}

func (h *Links) hostile(p peer.ID, err error) { h.cfg.Hostile(p, err) }
