package hostile

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// TestATruePipeIsFoundAmongLiarsOfEveryKind has eight honest nodes of each
// twenty, and everybody else lies.
func TestATruePipeIsFoundAmongLiarsOfEveryKind(t *testing.T) {
	for _, how := range append(Kinds(), Mixed) {
		t.Run(string(how), func(t *testing.T) {
			world.Run(t, world.Config{Nodes: 24}, func(t *testing.T, w *world.World) {
				w.Settle(t)
				for i, n := range w.Nodes {
					if i%3 == 2 {
						Lie(n, how)
					}
				}
				binder := w.Nodes[1]
				began := time.Now()
				p, err := binder.CreatePipe(t.Context(), "true", pipe.CreateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := binder.Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{}); err != nil {
					t.Fatal(err)
				}
				t.Logf("bound after %v", time.Since(began))
				w.Pass(10 * time.Second)
				for i, n := range w.Nodes {
					began := time.Now()
					r, err := n.Pipes().Resolve(t.Context(), p.ID, pipe.ResolveOptions{Fresh: true})
					took := time.Since(began)
					if err != nil || took > 5*time.Second {
						t.Errorf("node %d: %v after %v", i, err, took)
					} else if took > 200*time.Millisecond {
						t.Logf("node %d: %v %d asked", i, took, r.Asked)
					}
				}
			})
		})
	}
}
