package link_test

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestCloseDoesNotWaitForEverForHandlers: they see their link ended, and who does
// not care is named.
func TestCloseDoesNotWaitForEverForHandlers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		saw, end := make(chan error, 1), make(chan struct{})
		b.links.Handle("good", func(l *link.Link) {
			<-l.Done()
			saw <- l.Err()
		})
		b.links.Handle("stubborn", func(*link.Link) { <-end })
		for _, service := range []string{"good", "stubborn", "stubborn"} {
			if _, err := a.links.Open(t.Context(), p, link.Options{Service: service}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		begun := time.Now()
		err := b.links.Close()
		const want = `handlers have not returned 10s after their links ended: 2 of service "stubborn"`
		if wire.CodeOf(err) != wire.Timeout || err.Error() != want {
			t.Errorf("%v", err)
		}
		if took := time.Since(begun); took != 10*time.Second+rtt {
			t.Errorf("took %s", took)
		}
		if err := <-saw; wire.CodeOf(err) != wire.Gone {
			t.Errorf("the good handler saw %v", err)
		}
		close(end)
		if err := b.links.Close(); err != nil {
			t.Errorf("after they have returned: %v", err)
		}
	})
}

// TestCloseDoesNotWaitLongForFarSides: one is silent over what was closed before
// and over what is reset, which has a second together.
func TestCloseDoesNotWaitLongForFarSides(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		closed, _ := open(t, a, p, serve(b))
		lasting, _ := open(t, a, p, serve(b))
		time.Sleep(time.Second)
		must(t, b.host.Close()) // ...
		closed.Close()
		_ = lasting
		begun := time.Now()
		must(t, a.links.Close())
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %s", took)
		}
	})
}
