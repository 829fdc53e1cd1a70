package link

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	partTime   = time.Second      // that Close waits for the far sides to have the last word
	returnTime = 10 * time.Second // and for handlers to return
)

// Close resets every link and waits for what runs. What was closed before has a
// moment to be delivered, and every far side that can be reached to hear of the
// end. The trunk is to be closed after.
//
// It waits at most 10 s for handlers, whose links have ended by then, and for
// what Drain writes: its error, Timeout, says the services of those that run on.
func (h *Links) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.acks.stop()
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
	for _, l := range all {
		l.retire()
	}
	return err
}

// join waits for what runs, though not for ever: handlers, judges of claims and
// the conns of Drain are not this package's.
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
	return wire.Errorf(wire.Timeout, "handlers have not returned %s after their links ended: %s", returnTime, cmp.Or(strings.Join(who, ", "), "none but judges of claims, and conns that take nothing"))
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

// goes runs f on a goroutine of its own, unless Close has begun.
func (h *Links) goes(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Go(f)
	}
}

// begin counts something that Close waits for, unless that has begun.
func (h *Links) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Add(1)
	}
	return !h.closed
}
