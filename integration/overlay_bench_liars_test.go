//go:build figures

package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/hostile"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// measureLiars makes a tenth of the nodes lie, each request in another way, and
// has the others resolve what was bound before that and after it. The liars are
// holders as others are: to a Store they answer that it is done.
func (o *overlay) measureLiars(t *testing.T) {
	nodes := o.some(len(o.Live()))
	liars := make(map[*world.Node]bool)
	honest := nodes[len(nodes)/10:]
	var ids []pipe.ID
	bind := func(binders []*world.Node) {
		for _, n := range binders {
			id, _ := o.echo(t, n)
			ids = append(ids, id)
		}
	}
	bind(honest[:pipesOfLoss/2])
	o.Pass(time.Minute)
	for _, n := range nodes[:len(nodes)/10] {
		hostile.Lie(n, hostile.Mixed)
		liars[n] = true
	}
	began := time.Now()
	bind(honest[pipesOfLoss/2 : pipesOfLoss])
	o.figure("liars_bind_mean", o.rtts(time.Since(began))/(pipesOfLoss/2), "rtt", "-")
	o.Pass(quiet)
	o.figure("liars", float64(len(liars)), "nodes", "-")
	o.resolveAll(t, "liars", ids, liars)
}
