package reach_test

import (
	"testing"
	"time"
)

func TestImproveBeginsAgainWithAnotherRelayedPath(t *testing.T) {
	inVirtualTime(t, firewalls(punching{}, nil, func(t *testing.T, w behind) {
		w.dropping(between(ipA, ipB))
		want := w.want()
		want.AllowRelay = true
		first := w.a.path(t, want)
		time.Sleep(10 * time.Minute) // tries are minutes apart by now
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if second := w.a.path(t, want); second.Direct() {
			t.Fatal("direct through a wall")
		}
		w.dropping(nil)
		begun := time.Now()
		for p := range w.a.Watch(t.Context(), w.b.ID()) {
			if p.Direct() {
				break
			}
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("a direct path after %v", took)
		}
	}))
}
