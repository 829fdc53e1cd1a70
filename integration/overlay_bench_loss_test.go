//go:build figures

package integration

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

const (
	pipesOfLoss    = 20
	resolvesOfLoss = 200 // half of them at the first moment
)

// measureOutage kills a fifth of the nodes at once, and has the others resolve
// from that moment on what is bound at them.
func (o *overlay) measureOutage(t *testing.T) {
	binders := o.some(pipesOfLoss)
	bound := make(map[*world.Node]bool)
	var ids []pipe.ID
	for _, n := range binders {
		id, _ := o.echo(t, n)
		ids, bound[n] = append(ids, id), true
	}
	o.Pass(time.Minute)
	o.awaitCalm()
	left := len(o.Live()) / 5
	for _, n := range o.some(len(o.Live())) {
		if left > 0 && !bound[n] {
			o.Kill(n)
			left--
		}
	}
	o.resolveAll(t, "outage", ids, nil)
}

// resolveAll has nodes other than those excepted resolve pipes that they
// neither hold nor know, half of them at once and the others in the minute that
// follows.
func (o *overlay) resolveAll(t *testing.T, name string, ids []pipe.ID, except map[*world.Node]bool) {
	a := newAgenda()
	var took []float64
	failed := 0
	used := make(map[*world.Node]map[pipe.ID]bool)
	for i := range resolvesOfLoss {
		id := ids[i%len(ids)]
		wait := time.Duration(0)
		if i >= resolvesOfLoss/2 {
			wait = time.Duration(rand.Int64N(int64(window)))
		}
		var resolve func()
		resolve = func() {
			n := o.reader(id, used, except)
			if n == nil {
				return // in a small world everybody holds the record by now
			}
			a.aside(func() func() {
				rtts, err := o.resolve(n, id)
				return func() {
					switch {
					case err != nil:
						failed++
						o.progress("%s: node %d: %v", name, n.Index, err)
					case rtts == 0:
						resolve() // it held the record all the same
					default:
						took = append(took, rtts)
					}
				}
			})
		}
		a.after(wait, resolve)
	}
	a.run()
	least := ">=100"
	if o.nodes < 100 {
		least = "-" // there are not as many that hold nothing
	}
	o.figure(name+"_resolve_operations", float64(len(took)+failed), "operations", least)
	o.figure(name+"_resolved", 100*float64(len(took))/float64(len(took)+failed), "percent", ">=100")
	o.quantiles(name+"_resolve", took, bounds{p90: "<=4"})
	o.figure(name+"_resolve_max", percentile(took, 100)*o.RTT().Seconds(), "s", "<=5")
}

// resolve tells how many round trips n takes to resolve a pipe.
func (o *overlay) resolve(n *world.Node, id pipe.ID) (rtts float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	began := time.Now()
	_, err = n.Pipes().Resolve(ctx, id, pipe.ResolveOptions{})
	return o.rtts(time.Since(began)), err
}

// reader picks a node that has neither held nor resolved id, rather one that
// resolves for the first time; nil if there is none.
func (o *overlay) reader(id pipe.ID, used map[*world.Node]map[pipe.ID]bool, except map[*world.Node]bool) *world.Node {
	far := o.far(id.Key())
	rand.Shuffle(len(far), func(i, j int) { far[i], far[j] = far[j], far[i] })
	var best *world.Node
	for _, n := range far {
		if !except[n] && !used[n][id] && (best == nil || len(used[n]) < len(used[best])) {
			best = n
		}
	}
	if best != nil {
		if used[best] == nil {
			used[best] = make(map[pipe.ID]bool)
		}
		used[best][id] = true
	}
	return best
}
