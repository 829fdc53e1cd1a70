package integration

import (
	"fmt"
	"testing"
	"time"
	"slices"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
)

func TestTmp(t *testing.T) {
	world.Run(t, world.Config{Nodes: 100, MaxConnections: 40, Node: func(_ int, c *node.Config) { c.Providers = true }}, func(t *testing.T, w *world.World) {
		show := func(s string) {
			type x struct{ c, i, in, peers int }
			var cs []x
			for _, n := range w.Nodes {
				y := x{i: n.Index, peers: len(n.Host().Network().Peers())}
				for _, c := range n.Host().Network().Conns() {
					y.c++
					if c.Stat().Direction == 1 { y.in++ }
				}
				cs = append(cs, y)
			}
			slices.SortFunc(cs, func(a, b x) int { return a.c - b.c })
			fmt.Println(s, cs[0], cs[50], cs[90], cs[95:], "node0", cs[slices.IndexFunc(cs, func(y x) bool { return y.i == 0 })])
		}
		w.Settle(t)
		show("settled")
		start := time.Now()
		for range 80 {
			time.Sleep(15*time.Second)
			show(time.Since(start).String())
		}
	})
}
