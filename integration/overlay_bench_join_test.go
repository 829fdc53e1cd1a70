//go:build figures

package integration

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

const freshNodes = 50

// measureJoins measures nodes that start and know one other: from the call of
// node.Start to the first byte that a pipe sends back, and to readiness. The
// nodes they know, and those that serve the pipes, are any.
func (o *overlay) measureJoins(t *testing.T) {
	var echoed, ready []float64
	for len(echoed) < freshNodes {
		var listeners []*pipe.Listener
		var fresh []*world.Node
		var all sync.WaitGroup
		var mu sync.Mutex
		know := o.some(2 * 5)
		var ids []pipe.ID
		for _, binder := range know[5:] {
			id, l := o.echo(t, binder)
			ids, listeners = append(ids, id), append(listeners, l)
		}
		o.Pass(quiet)
		for i := range ids {
			began := time.Now()
			n := o.Join(t, know[i])
			fresh = append(fresh, n)
			all.Go(func() {
				took := o.since(began, n.Ready)
				mu.Lock()
				defer mu.Unlock()
				ready = append(ready, took)
			})
			all.Go(func() {
				took := o.since(began, func(ctx context.Context) error {
					err := bounce(ctx, n, ids[i])
					if err != nil {
						o.progress("fresh node %d: %v", n.Index, err)
					}
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				echoed = append(echoed, took)
			})
		}
		all.Wait()
		for _, n := range fresh {
			o.Stop(t, n)
		}
		for _, l := range listeners {
			_ = l.Close() // a tombstone that does not arrive is no figure
		}
		o.Pass(quiet)
	}
	o.figure("join_nodes", float64(len(echoed)), "nodes", "-")
	o.quantiles("join_ready", ready, bounds{})
	o.quantiles("join_first_byte", echoed, bounds{p50: "<=9"})
}

// since is how many round trips have passed when do returns; endless if it
// fails.
func (o *overlay) since(began time.Time, do func(context.Context) error) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	if err := do(ctx); err != nil {
		return math.Inf(1)
	}
	return o.rtts(time.Since(began))
}
