package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Add takes a rule up and saves it. A rule with the ID of another, or with its
// listen address or the pipe that it exposes, changes that one in place: its
// channels go on.
//
// A rule that fails for a reason that passes (the far nodes cannot be reached
// yet) is saved, and tried again; its Status says so. Any other failure leaves
// all as it was: wire.Taken for a listen address in use, wire.Unknown for a
// pipe that has no such name here, wire.BadRequest for what a rule cannot mean,
// wire.Limit.
func (g *Gateway) Add(ctx context.Context, r Rule) (Status, error) {
	r, err := r.normalize()
	if err != nil {
		return Status{}, err
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	e, _, err := g.put(ctx, r)
	if err != nil {
		return Status{}, g.ownAddress(r, err)
	}
	return e.status(), nil
}

// ownAddress says so where a rule's address is in use by another rule.
func (g *Gateway) ownAddress(r Rule, err error) error {
	if wire.CodeOf(err) != wire.Taken || r.Kind == Expose {
		return err
	}
	e, none := g.find(r.Listen)
	if none != nil || e.id == r.ID {
		return err
	}
	return wire.Errorf(wire.Taken, "cannot listen on %s: gateway rule %s does", r.Listen, e.id).
		WithNext("use that rule, remove it (panpipe gateway rm %s), or listen on another address", e.id)
}

// put adds a normalised rule, or changes the one that it stands for.
func (g *Gateway) put(ctx context.Context, r Rule) (e *entry, changed bool, err error) {
	if e := g.standing(r); e != nil {
		changed, err := g.alter(ctx, e, r)
		return e, changed, err
	}
	if n := len(g.all()); n >= g.cfg.Limits.Rules {
		return nil, false, wire.LimitError("gateway rules", int64(n), "").WithNext("remove a rule")
	}
	if r.ID == "" {
		r.ID = newRuleID(r.Kind)
	}
	e = newEntry(g, r)
	e.turn.Lock()
	defer e.turn.Unlock()
	failure := e.start(ctx)
	if failure != nil && !mayFollow(failure) {
		return nil, false, failure
	}
	if err := g.cfg.Store.PutRule(ctx, r); err != nil {
		e.drop()
		return nil, false, err
	}
	if !g.keep(e) {
		e.drop()
		return nil, false, errClosed()
	}
	if failure != nil {
		e.down(failure)
	}
	return e, true, nil
}

// drop takes down an entry that is not kept; turn is held.
func (e *entry) drop() {
	e.gone = true
	if e.run != nil {
		e.run.close()
		e.run = nil
	}
}

// mayFollow reports that a new rule is worth keeping although it could not be
// taken up: what it needs is not there yet.
func mayFollow(err error) bool {
	switch wire.CodeOf(err) {
	case wire.NotReady, wire.Timeout, wire.Unreachable, wire.Busy:
		return true
	}
	return false
}

// standing is the entry that a rule would change.
func (g *Gateway) standing(r Rule) *entry {
	place := r.place()
	for _, e := range g.all() {
		switch have := e.now(); {
		case e.draining():
		case r.ID != "" && have.ID == r.ID:
			return e
		case r.ID == "" && have.Kind == r.Kind && place != "" && have.place() == place:
			return e
		}
	}
	return nil
}

func (e *entry) draining() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == Draining
}

// alter changes a rule in place. On an error it is as it was.
func (g *Gateway) alter(ctx context.Context, e *entry, r Rule) (changed bool, err error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	old := e.now()
	r.ID = old.ID
	if r.Kind != old.Kind {
		return false, wire.Errorf(wire.Taken, "rule %s is of kind %s, not %s", old.ID, old.Kind, r.Kind).WithNext("remove it first")
	}
	if e.run != nil && r.equal(old) {
		return false, nil
	}
	failure := e.turnInto(ctx, r, old)
	if failure != nil && (e.run != nil || !mayFollow(failure)) {
		return false, failure
	}
	if err := g.cfg.Store.PutRule(ctx, r); err != nil {
		return false, errors.Join(err, e.turnInto(ctx, old, r))
	}
	if failure != nil {
		e.down(failure)
	}
	if changed = !r.equal(old); changed {
		e.trace(Event{Kind: EventRuleChanged})
	}
	return changed, nil
}

// turnInto has the rule r stand where the rule old did; turn is held. If it
// fails with something standing, that is the old rule.
func (e *entry) turnInto(ctx context.Context, r, old Rule) error {
	if e.run == nil {
		e.set(r)
		if err := e.start(ctx); err != nil {
			if !mayFollow(err) {
				e.set(old)
			}
			return err
		}
		return nil
	}
	if err := e.run.change(ctx, r); err != nil {
		return err
	}
	e.set(r)
	return nil
}

// set puts a rule into an entry, and its limits into force.
func (e *entry) set(r Rule) {
	e.mu.Lock()
	e.rule = r
	e.mu.Unlock()
	e.places.set(r.MaxChannels, r.MaxPerClient)
}

// Remove ends a rule and forgets it. Ref is its ID, the address where it
// listens, or the pipe that it exposes. With drain its channels go on until
// they end by themselves; otherwise they are reset.
func (g *Gateway) Remove(ctx context.Context, ref string, drain bool) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	e, err := g.find(ref)
	if err != nil {
		return err
	}
	return g.remove(ctx, e, drain)
}

func (g *Gateway) remove(ctx context.Context, e *entry, drain bool) error {
	if err := g.cfg.Store.DeleteRule(ctx, e.id); err != nil {
		return err
	}
	e.end(drain)
	if e.empty() {
		g.forget(e)
	}
	e.trace(Event{Kind: EventRuleRemoved})
	return nil
}

func (e *entry) empty() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.channels) == 0
}

// find finds a rule by its ID, its listen address, or the pipe that it exposes;
// those that are not draining first.
func (g *Gateway) find(ref string) (*entry, error) {
	all := g.all()
	slices.SortFunc(all, func(a, b *entry) int { return order(a.draining()) - order(b.draining()) })
	for _, e := range all {
		if e.id == ref {
			return e, nil
		}
	}
	for _, e := range all {
		if e.answersTo(ref) {
			return e, nil
		}
	}
	return nil, wire.Errorf(wire.Unknown, "no gateway rule is %.80q", ref).WithNext("see the rules: panpipe gateway ls")
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// answersTo reports that a person may mean this rule.
func (e *entry) answersTo(ref string) bool {
	r := e.now()
	if r.Kind == Expose {
		return ref == r.Pipe || ref == e.status().Pipe.String()
	}
	a, err := parseAddress(ref, true)
	return err == nil && !a.anyPort() && (a.String() == r.Listen || a.String() == e.status().Addr)
}
