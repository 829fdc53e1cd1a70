package pipe

import (
	"testing"
)

// BenchmarkCachedResolve is the time to the endpoints of a pipe that this node
// has resolved before: no network, at most 5 µs.
func BenchmarkCachedResolve(b *testing.B) {
	_, n := loopback(b, 2)
	id := n[0].create(b, CreateOptions{})
	n[0].listen(b, id, ListenOptions{})
	if _, err := n[1].Resolve(b.Context(), id, ResolveOptions{}); err != nil {
		b.Fatal(err)
	}
	n[1].cfg.Tracer = noTracer{} // the tests' own keeps every event
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n[1].Resolve(b.Context(), id, ResolveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
