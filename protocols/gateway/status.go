package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// counts of a rule since it was made or restored.
type counts struct {
	opened  uint64
	refused map[wire.Code]uint64
	in, out uint64 // of channels that have ended
}

// Status tells how a rule stands.
type Status struct {
	Rule  Rule
	State State
	Err   error     // why it is not up; nil while it is
	Since time.Time // of the state

	Pipe    pipe.ID           // that it serves or leads to; zero while that is not known
	Addr    string            // where it listens; empty while it does not
	Holders int               // expose: nodes known to hold the binding
	Binders []pipe.KeptBinder // forward: who serves the pipe, as far as is known
	Unbound error             // forward: why there is nobody, wire.NotReady until that is known; nil if there is

	Channels int                  // there are
	Opened   uint64               // channels that have begun, those refused by the far node included
	Refused  map[wire.Code]uint64 // clients and dialers that got no channel, by the word
	In, Out  uint64               // bytes from and to far nodes, open channels included
}

// status tells how the rule stands.
func (e *entry) status() Status {
	e.turn.Lock()
	defer e.turn.Unlock()
	return e.statusLocked()
}

// statusLocked is status for who holds turn.
func (e *entry) statusLocked() Status {
	e.mu.Lock()
	s := Status{
		Rule: e.rule, State: e.state, Err: e.err, Since: e.since, Channels: len(e.channels),
		Opened: e.counts.opened, Refused: maps.Clone(e.counts.refused), In: e.counts.in, Out: e.counts.out,
	}
	for c := range e.channels {
		in, out := c.conn.Transferred()
		s.In, s.Out = s.In+in, s.Out+out
	}
	e.mu.Unlock()
	if e.run != nil {
		e.run.status(&s)
	}
	return s
}

// refused counts and tells of a client or dialer that got no channel.
func (e *entry) refused(err error) {
	e.mu.Lock()
	if e.counts.refused == nil {
		e.counts.refused = make(map[wire.Code]uint64)
	}
	e.counts.refused[wire.CodeOf(err)]++
	e.mu.Unlock()
	told := Event{Kind: EventRefused, Err: err}
	var own full
	if errors.As(err, &own) {
		told.Limit, told.Setting = own.limit, own.setting
	}
	e.trace(told)
}

// Rules tells how all rules stand, in the order of their kinds and addresses.
func (g *Gateway) Rules() []Status {
	var all []Status
	for _, e := range g.all() {
		all = append(all, e.status())
	}
	slices.SortFunc(all, func(a, b Status) int {
		return strings.Compare(a.Rule.sortKey(), b.Rule.sortKey())
	})
	return all
}

func (r Rule) sortKey() string {
	return strings.Join([]string{string(r.Kind), r.Listen, r.Pipe, r.ID}, "\x00")
}

// Channels lists the channels of a rule, the oldest first. Ref is as in Remove.
func (g *Gateway) Channels(ref string) ([]Channel, error) {
	e, err := g.find(ref)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	open := slices.Collect(maps.Keys(e.channels))
	e.mu.Unlock()
	all := make([]Channel, len(open))
	for i, c := range open {
		all[i] = c.tell()
	}
	slices.SortFunc(all, func(a, b Channel) int { return a.Opened.Compare(b.Opened) })
	return all, nil
}

// Await waits until it is known whether a rule leads to anybody, and tells how it
// stands then, or when ctx ends, which is no error. Ref is as in Remove.
func (g *Gateway) Await(ctx context.Context, ref string) (Status, error) {
	for {
		e, err := g.find(ref)
		if err != nil {
			return Status{}, err
		}
		e.turn.Lock()
		changed := e.changedLocked()
		s := e.statusLocked()
		e.turn.Unlock()
		if changed == nil || wire.CodeOf(s.Unbound) != wire.NotReady {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, nil
		}
	}
}

// changedLocked is closed when it may be known whether a forward rule leads to
// anybody; nil where there is nothing to wait for. Turn is held.
func (e *entry) changedLocked() <-chan struct{} {
	if f, ok := e.run.(*listening); ok {
		if to := f.to.Load(); to != nil {
			return to.keeper.Changed()
		}
	}
	return nil
}

// Check tells whether what a rule leads to answers: it connects to the service
// of an expose rule, and looks for who serves the pipe of a forward rule.
func (g *Gateway) Check(ctx context.Context, ref string) error {
	e, err := g.find(ref)
	if err != nil {
		return err
	}
	s := e.status()
	if s.Err != nil || s.Rule.Kind != Expose {
		return firstError(s.Err, s.Unbound)
	}
	return e.knock(ctx, s.Rule)
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
