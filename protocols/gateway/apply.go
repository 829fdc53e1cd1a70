package gateway

import (
	"context"
	"slices"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Changes tells what Apply has done, by the IDs of rules.
type Changes struct {
	Added, Changed, Removed, Kept []string
	Failed                        map[string]error // rules that are saved and could not be taken up
}

// Apply makes the given rules the whole set: those that are there stay with
// their channels, changed where they differ, others are added, and what is not
// given is removed, its channels left to end by themselves. Rules are matched
// as in Add. If one of them makes no sense nothing is changed.
//
// A rule that cannot be taken up is kept all the same, to be tried again; it is
// among the Failed.
func (g *Gateway) Apply(ctx context.Context, rules []Rule) (Changes, error) {
	given, err := normalizeAll(rules, g.cfg.Limits.Rules)
	if err != nil {
		return Changes{}, err
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	c := Changes{Failed: make(map[string]error)}
	stays := make(map[*entry]bool)
	for i, r := range given {
		if e := g.match(r, stays); e != nil {
			given[i].ID = e.id
			stays[e] = true
		}
	}
	for _, e := range g.all() {
		if stays[e] || e.draining() {
			continue
		}
		if err := g.remove(ctx, e, true); err != nil {
			return c, err
		}
		c.Removed = append(c.Removed, e.id)
	}
	for _, r := range given {
		if err := g.applyOne(ctx, r, &c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// match finds the rule that r is a new version of: that of its ID, of its
// place, or, where a listener takes any port, one that says the same.
func (g *Gateway) match(r Rule, taken map[*entry]bool) *entry {
	if e := g.standing(r); e != nil {
		if e.now().Kind == r.Kind && !taken[e] {
			return e
		}
		return nil
	}
	if r.ID != "" || r.place() != "" {
		return nil
	}
	for _, e := range g.all() {
		same := r
		same.ID = e.id
		if !taken[e] && !e.draining() && e.now().equal(same) {
			return e
		}
	}
	return nil
}

// applyOne takes up one rule of a set. Only a store that fails is an error.
func (g *Gateway) applyOne(ctx context.Context, r Rule, c *Changes) error {
	if r.ID == "" {
		r.ID = newRuleID(r.Kind)
	}
	before := g.standing(r)
	_, changed, err := g.put(ctx, r)
	if err != nil {
		if err := g.keepFailed(ctx, r, before, err); err != nil {
			return err
		}
		c.Failed[r.ID], changed = err, true
	}
	switch {
	case before == nil:
		c.Added = append(c.Added, r.ID)
	case changed:
		c.Changed = append(c.Changed, r.ID)
	default:
		c.Kept = append(c.Kept, r.ID)
	}
	return nil
}

// keepFailed saves a rule that could not be taken up. What stood in its place
// stands no more: it is not what was asked for.
func (g *Gateway) keepFailed(ctx context.Context, r Rule, e *entry, why error) error {
	if err := g.cfg.Store.PutRule(ctx, r); err != nil {
		return err
	}
	if e == nil {
		e = newEntry(g, r)
		if !g.keep(e) {
			return errClosed()
		}
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	if e.run != nil {
		e.run.close()
		e.run = nil
	}
	e.set(r)
	e.down(why)
	return nil
}

// normalizeAll normalises a set, in which no two rules may stand for one thing.
func normalizeAll(rules []Rule, most int) ([]Rule, error) {
	if len(rules) > most {
		return nil, wire.LimitError("gateway rules", int64(most), "")
	}
	out := make([]Rule, 0, len(rules))
	for i, r := range rules {
		r, err := r.normalize()
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "rule %d: %w", i+1, err)
		}
		if j := slices.IndexFunc(out, func(o Rule) bool { return clash(o, r) }); j >= 0 {
			return nil, wire.Errorf(wire.BadRequest, "rules %d and %d have the same ID, listen address or pipe", j+1, i+1)
		}
		out = append(out, r)
	}
	return out, nil
}

func clash(a, b Rule) bool {
	return a.ID != "" && a.ID == b.ID || a.place() != "" && a.place() == b.place()
}
