package reach_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestIdlePathIsNotClosedUnderWhoHasJustBeenGivenIt(t *testing.T) {
	inVirtualTime(t, firewalls(punching{true, true}, nil, func(t *testing.T, w behind) {
		w.dropping(between(ipA, ipB))
		relayed := w.want()
		relayed.AllowRelay = true
		w.a.path(t, relayed)
		time.Sleep(2 * reach.PunchTime) // nobody uses it
		p := w.a.path(t, relayed)
		direct := make(chan error, 1)
		go func() {
			_, _, err := w.a.Path(t.Context(), w.want())
			direct <- err
		}()
		synctest.Wait() // the other has looked
		say(t, open(t, p), "still there")
		if err := <-direct; err == nil {
			t.Error("a direct path through a wall")
		}
		say(t, open(t, p), "in use, so it stays")
	}))
}
