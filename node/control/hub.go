package control

import (
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// What a reader may be behind, or away, without a gap: so many events, of at most
// so many bytes, about.
const (
	keptEvents     = 1024
	keptEventBytes = 4 << 20
)

// hub keeps the last events and wakes who follows them. Readers have a place
// in it and no queue of their own, so that a slow one costs nothing.
type hub struct {
	mu      sync.Mutex
	kept    []api.Event // rising IDs without holes
	bytes   int         // of kept, about
	next    uint64
	changed uint64        // ID of the last event that tells of the node or a rule of its gateway, rather than of one connection or grant; 0: none
	wake    chan struct{} // closed by the next event
}

// newHub numbers its events from first on.
func newHub(first uint64) *hub {
	return &hub{next: max(first, 1), wake: make(chan struct{})}
}

// publish gives e its number and time.
func (h *hub) publish(e api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.ID, e.Time = h.next, time.Now()
	h.next++
	switch e.Kind {
	case api.EventStatus, api.EventListenBound, api.EventListenReplaced, api.EventListenClosed,
		api.EventGatewayRuleUp, api.EventGatewayRuleDown, api.EventGatewayChanged, api.EventGatewayRemoved:
		h.changed = e.ID
	}
	h.kept = append(h.kept, e)
	h.bytes += eventBytes(e)
	if len(h.kept) > keptEvents || h.bytes > keptEventBytes {
		h.forget()
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// forget lets go of old events, a quarter at once, and never of the latest.
func (h *hub) forget() {
	n := 0
	for n < len(h.kept)-1 && (len(h.kept)-n > keptEvents*3/4 || h.bytes > keptEventBytes*3/4) {
		h.bytes -= eventBytes(h.kept[n])
		n++
	}
	h.kept = append([]api.Event(nil), h.kept[n:]...)
}

// eventBytes is about what an event takes.
func eventBytes(e api.Event) int {
	n := 512
	if e.Message != nil {
		n += len(e.Message.Text)
	}
	if e.Buddy != nil {
		n += 256 * (1 + len(e.Buddy.Devices))
	}
	return n
}

// last is the ID of the latest event.
func (h *hub) last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next - 1
}

// change rises when the node's status or its listens have changed.
func (h *hub) change() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// after returns the events that follow id. When some of them are gone, or id
// is from nowhere, the first is a gap that says so. When there are none, wake
// is closed by the next one.
func (h *hub) after(id uint64) (events []api.Event, wake <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.next - uint64(len(h.kept))
	if id >= h.next || id+1 < oldest {
		gap := api.Event{ID: oldest - 1, Time: time.Now(), Kind: api.EventGap, Gap: &api.Gap{After: id, Before: oldest}}
		return append([]api.Event{gap}, h.kept...), h.wake
	}
	return append([]api.Event(nil), h.kept[id+1-oldest:]...), h.wake
}
