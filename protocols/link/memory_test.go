package link

import (
	"testing"
	"testing/synctest"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestFirstWindowsAreOfTheMemory: links are refused when there are no first
// windows left, and what has grown leaves half of all for them.
func TestFirstWindowsAreOfTheMemory(t *testing.T) {
	p := pool{size: 16 * firsts}
	grown := 0
	for p.reserve(1 << 10) {
		grown += 1 << 10
	}
	if most := 8 * firsts; grown > most || grown < most-8<<10 {
		t.Errorf("%d bytes beyond the first windows, of %d", grown, most)
	}
	links := 0
	for ; p.admit() == nil; links++ {
	}
	if links != 8 {
		t.Errorf("%d links beside what has grown", links)
	}
	if err := p.admit(); wire.CodeOf(err) != wire.Limit || wire.NextOf(err) != "raise limits.link_memory" {
		t.Error(err)
	}
	p.release(uint64(grown))
	for ; p.admit() == nil; links++ {
	}
	if p.reserve(1); links != 16 || p.used() != p.size {
		t.Errorf("%d links, %d bytes", links, p.used())
	}
	for range links {
		p.dismiss()
	}
	if p.used() != 0 || !p.reserve(firsts) {
		t.Errorf("%d bytes are left", p.used())
	}
}

// TestMemoryOfALinkIsCountedUntilItIsForgotten, handler included.
func TestMemoryOfALinkIsCountedUntilItIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := patient(t, Config{Memory: 3 * firsts})
		add := func() (*Link, error) {
			l := h.newLink(newMachine(h.settings(NewID(), "test", false, h.cfg.Grace)), "far", Route{})
			l.handled = true
			return l, h.add(l)
		}
		var all []*Link
		for range 3 {
			l, err := add()
			must(err)
			all = append(all, l)
		}
		if _, err := add(); wire.CodeOf(err) != wire.Limit || len(h.ends) != 3 {
			t.Errorf("%v, %d links", err, len(h.ends))
		}
		h.forget(all[0])
		if u := h.Usage(); u.Memory != 3*firsts {
			t.Errorf("while the handler runs: %+v", u)
		}
		h.served(all[0])
		h.served(all[1])
		if u := h.Usage(); u.Memory != 2*firsts {
			t.Errorf("%+v", u)
		}
		h.forget(all[1])
		l, err := add()
		must(err)
		h.served(all[2])
		h.served(l)
	})
}

// TestUnreadBytesOfAClosedLinkCount until they have been read, or nobody will.
func TestUnreadBytesOfAClosedLinkCount(t *testing.T) {
	for name, drop := range map[string]func(e *end){
		"read": func(e *end) { e.read() }, "closed": func(e *end) { e.m.stop() },
	} {
		a, b, la, lb := joined()
		budget := &smallBudget{most: testWindow}
		b.m.budget = budget
		budget.reserve(testWindow - firstWindow)
		b.m.in.window = testWindow
		a.write("unread")
		must(a.m.closeWrite())
		must(b.m.closeWrite())
		settle(a, b, la, lb)
		if b.m.over != errComplete || budget.used != testWindow-firstWindow {
			t.Errorf("%s: %v, %d bytes of memory", name, b.m.over, budget.used)
		}
		if drop(b); budget.used != 0 || b.m.in.q.mem != 0 {
			t.Errorf("%s: %d bytes of memory are left, %d held", name, budget.used, b.m.in.q.mem)
		}
	}
}
