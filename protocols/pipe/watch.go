package pipe

import (
	"maps"
	"net"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// watched is a dialer that was told that it would be accepted, and wants to hear
// when that is so no more: a Keeper.
type watched struct {
	c carrier
	o opening
}

// watched answers a dialer that wants to watch, and keeps its stream until it
// goes, the listener ends, or the list has it no more.
func (s *Service) watched(l *Listener, c carrier, o opening, of share) error {
	if err := s.place(of); err != nil {
		return s.refuse(c, err, nil)
	}
	defer s.places.give(of)
	if _, err := s.agree(l, c, o); err != nil {
		c.drop()
		return err
	}
	w := &watched{c, o}
	l.mu.Lock()
	if l.watchers == nil {
		l.watchers = make(map[*watched]struct{})
	}
	l.watchers[w] = struct{}{}
	l.mu.Unlock()
	if isClosed(l.over) {
		l.endWatchers(l.failure())
	}
	w.judge(l.gate(time.Now(), l.s.logs.read)) // the list may have changed meanwhile
	c.until(time.Time{}, time.Time{})
	_, _ = c.Read(make([]byte, 1)) // it says nothing, or it breaks the rules
	l.mu.Lock()
	delete(l.watchers, w)
	l.mu.Unlock()
	c.drop()
	return nil
}

// judgeWatchers ends the watches of those who would not be admitted any more.
func (l *Listener) judgeWatchers() {
	g := l.gate(time.Now(), l.s.logs.read)
	l.mu.Lock()
	all := slices.Collect(maps.Keys(l.watchers))
	l.mu.Unlock()
	for _, w := range all {
		w.judge(g)
	}
}

func (w *watched) judge(g gate) {
	if err := g.admit(w.o, w.c.opened.transport); err != nil {
		w.c.resetWith(wire.CodeOf(err), reasonOf(err))
	}
}

// endWatchers tells those who watch that the listener serves no more. It goes by
// the answer that a new dialer would get.
func (l *Listener) endWatchers(why error) {
	code := wire.Unbound
	if wire.CodeOf(why) == wire.Replaced {
		code = wire.Moved
	}
	if why == net.ErrClosed {
		why = wire.Errorf(wire.Unbound, "this node serves the pipe no more")
	}
	l.mu.Lock()
	all := l.watchers
	l.watchers = nil
	l.mu.Unlock()
	for w := range all {
		w.c.resetWith(code, reasonOf(why))
	}
}
