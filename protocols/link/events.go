package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Head is how many bytes Write takes of a new link without waiting for the far
// side.
const Head = firstWindow

// Event tells that a leg has begun to carry its link, when the far side's first
// word came on it, or that it has ended, when Leg.Ended is set.
type Event struct {
	Link *Link
	Leg  Leg // as it stood then
}

// Usage is what the links of a node take.
type Usage struct {
	Links  int   // ends that this node has
	Memory int64 // bytes reserved of Config.Memory
}

// Usage tells what is taken now.
func (h *Links) Usage() Usage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Usage{len(h.ends), h.memory.used()}
}

// Waiting is since when no leg carries the link; zero while one does, and when
// the link is over.
func (l *Link) Waiting() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m.over != nil {
		return time.Time{}
	}
	return l.history.began
}

// Route is where the far end is found, as its opener said; of a link that the
// far side has opened it has the Peer alone.
func (l *Link) Route() Route {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.route
}

// SetKey changes the key of the link's route: how this node is to find the far
// end of a link that the other has opened.
func (l *Link) SetKey(key any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.route.Key = key
}

// SetGrace changes how long this end waits for a leg; the far side's own time
// stays as it is.
func (l *Link) SetGrace(d time.Duration) {
	l.mu.Lock()
	l.m.grace = d
	l.unlock(false)
}

// Only has the link use the paths that fit alone, whichever side offers them.
// The leg there is stays. fit must not block, nor call the Link.
func (l *Link) Only(fit func(reach.Path) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.only = fit
}

// fitsLocked reports that the link may use a path.
func (l *Link) fitsLocked(p reach.Path) bool { return l.only == nil || l.only(p) }

// unansweredLocked ends a link that has lost its leg, or was refused it, before
// the far side has taken the link, if nobody is to wait for that: the far side
// speaks no links, or the opener has other ways.
func (a *attachment) unansweredLocked(cause error) {
	m := a.l.m
	code := wire.CodeOf(cause)
	if m.heard || m.over != nil || !m.dialer || m.cur != nil || (code != wire.Unsupported && !a.l.prompt) {
		return
	}
	m.farOver = true
	err := wire.Errorf(code, "the link was not taken: %w", cause)
	if code == wire.Limit {
		err = err.WithNext("raise limits.links, limits.links_per_peer or limits.link_memory at the far side")
	}
	m.end(err)
}
