package link

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
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

const (
	partTime   = time.Second      // that Close waits for the far sides to have the last word
	returnTime = 10 * time.Second // and for handlers to return
)

// Close resets every link and waits for what runs. What was closed before has a
// moment to be delivered, and every far side that can be reached to hear of the
// end. The trunk is to be closed after.
//
// It waits at most 10 s for handlers, whose links have ended by then: its error,
// Timeout, says the services of those that run on.
func (h *Links) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	all := h.all()
	late, cancel := context.WithTimeout(context.Background(), partTime)
	defer cancel()
	h.part(late, all)
	for _, l := range all {
		l.Reset(wire.Gone, "the node shuts down")
	}
	h.part(late, all)
	h.cancel()
	err := h.join()
	h.acks.stop()
	for _, l := range all {
		l.retire()
	}
	return err
}

// join waits for what runs, though not for ever: handlers and judges of claims
// are not this package's.
func (h *Links) join() error {
	returned := make(chan struct{})
	go func() {
		h.running.Wait()
		close(returned)
	}()
	late := time.NewTimer(returnTime)
	defer late.Stop()
	select {
	case <-returned:
		return nil
	case <-late.C:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var who []string
	for _, service := range slices.Sorted(maps.Keys(h.handling)) {
		who = append(who, fmt.Sprintf("%d of service %q", h.handling[service], service))
	}
	return wire.Errorf(wire.Timeout, "handlers have not returned %s after their links ended: %s", returnTime, cmp.Or(strings.Join(who, ", "), "none but judges of claims"))
}

// part waits until nothing is on its way of links that are closed.
func (h *Links) part(late context.Context, all []*Link) {
	for slices.ContainsFunc(all, (*Link).parting) {
		select {
		case <-h.parted:
		case <-late.Done():
			return
		}
	}
}

// parting reports that the link's last words are on their way.
func (l *Link) parting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed && l.m.cur != nil && (l.m.over == nil || l.m.mustTell())
}

// stir has part look again.
func (h *Links) stir() {
	select {
	case h.parted <- struct{}{}:
	default:
	}
}

// Options is what Open may be told.
type Options struct {
	Service string        // what is opened, at most 64 bytes
	Route   Route         // where the far end is found again; its Peer is the path's
	Grace   time.Duration // how long the link waits for a leg; 0 is Config.Grace

	// Prompt ends the link when its first leg is lost before the far side has
	// answered: its opener has other ways, and decides itself.
	Prompt bool

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
		return wire.Errorf(wire.Closed, "the node is shutting down")
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

// goes runs f on a goroutine of its own, unless Close has begun.
func (h *Links) goes(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Go(f)
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

// attachOptions says how a link gets another leg.
type attachOptions struct {
	why     string
	planned bool // the leg before it is well
	own     bool // a carrier of its own
}

// attach gives the link a leg on a path.
func (l *Link) attach(ctx context.Context, p reach.Path, o attachOptions) error {
	a := newAttachment(l)
	if err := l.mayAttach(p); err != nil {
		return err
	}
	leg, err := l.links.cfg.Trunks.Attach(ctx, p, a, o.own)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if a.dead || !l.m.takesLeg() {
		l.mu.Unlock()
		leg.Release()
		return wire.Errorf(wire.Unreachable, "the leg was lost at once, or came too late")
	}
	a.leg = leg
	a.mleg.strange = p.Peer() != l.far
	now := time.Now()
	a.beganLocked(o.why, now)
	l.m.attach(&a.mleg, o.planned, now)
	l.unlock(false)
	return nil
}

// mayAttach says why the link can have no leg on a path: it may not use it, or
// the far side is still to take the link, and the path leads to another node.
func (l *Link) mayAttach(p reach.Path) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.m.heard && l.m.dialer && p.Peer() != l.far:
		return wire.Errorf(wire.Unreachable, "the path leads to %s, which the link was not opened to", p.Peer())
	case !l.fitsLocked(p):
		return wire.Errorf(wire.Unsupported, "the link may not use this path")
	}
	return nil
}

// Accept takes what peers open on the trunk. It is to be the trunk's Accept.
func (h *Links) Accept(leg *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
	b, err := in.Small(maxOpening)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindOpen:
		o, err := parseOpening(b)
		if err != nil {
			return nil, err
		}
		return h.opened(leg, o), nil
	case kindResume:
		r, err := parseResume(b)
		if err != nil {
			return nil, err
		}
		return h.resumed(leg, r), nil
	}
	return nil, wire.Errorf(wire.BadRequest, "a leg begins with frame %d", k)
}

// opened takes an OPEN, which may repeat one that has been taken.
func (h *Links) opened(leg *trunk.Leg, o opening) trunk.Owner {
	if l := h.find(o.id); l != nil {
		if l.m.dialer {
			return refuse(leg, refusal{code: wire.Taken})
		}
		return h.takeUp(l, leg, o.resume())
	}
	h.mu.Lock()
	serve := h.services[o.service]
	h.mu.Unlock()
	if serve == nil {
		return refuse(leg, refusal{code: wire.Unsupported})
	}
	if o.gen == 0 || o.gen > maxGenJump {
		return refuse(leg, refusal{code: wire.BadRequest})
	}
	grace := min(time.Duration(min(o.grace, uint64(h.cfg.MaxGrace/time.Millisecond)))*time.Millisecond, h.cfg.MaxGrace)
	l := h.newLink(newMachine(h.settings(o.id, o.service, false, grace)), leg.Peer(), Route{Peer: leg.Peer()})
	l.handled = true
	switch err := h.add(l); {
	case err == errTaken: // by the same OPEN on another carrier, just now
		return h.opened(leg, o)
	case err != nil:
		return refuse(leg, refusal{code: wire.CodeOf(err)})
	}
	a := h.takeUp(l, leg, o.resume())
	go func() { // add has counted it
		defer h.served(l)
		serve(l)
	}()
	return a
}

// resumed takes a RESUME.
func (h *Links) resumed(leg *trunk.Leg, r resume) trunk.Owner {
	l := h.find(r.id)
	if l == nil {
		return refuse(leg, refusal{code: wire.Gone})
	}
	return h.takeUp(l, leg, r)
}

// takeUp judges who wants to go on with a link, and gives it the leg.
func (h *Links) takeUp(l *Link, leg *trunk.Leg, r resume) trunk.Owner {
	l.mu.Lock()
	if !l.fitsLocked(leg.Path()) {
		l.mu.Unlock()
		return refuse(leg, refusal{code: wire.Unsupported})
	}
	verdict, no := l.m.judge(r, leg.Peer() == l.far, h.cfg.Self > leg.Peer())
	switch verdict {
	case claimRefused:
		l.mu.Unlock()
		return refuse(leg, no)
	case claimAuthorise:
		return l.claimFrom(leg, r)
	}
	a := newAttachment(l)
	a.leg = leg
	a.takenUpLocked(r)
	l.unlock(true)
	return a
}

// takenUpLocked gives the link a leg that the far side has opened.
func (a *attachment) takenUpLocked(r resume) {
	now := time.Now()
	why := WhyFar
	if a.l.history.count == 0 {
		why = WhyOpened
	}
	a.beganLocked(why, now)
	if err := a.l.m.resume(&a.mleg, r, now); err != nil {
		a.violatedLocked(err)
	}
}

// refuse answers an opening with no.
func refuse(leg *trunk.Leg, r refusal) trunk.Owner {
	leg.Refuse(kindRefused, r.append(nil))
	return nil
}
