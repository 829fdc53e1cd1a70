package control

import (
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/gateway"
)

// Of what happens to channels at most this many events are told: thousands of
// clients come in a second, and who follows the events wants to see the rest.
const (
	channelEventRate  = 20 // a second
	channelEventBurst = 40
)

// gatewayTeller publishes the events of the gateway, all of its rules' and some
// of their channels'.
type gatewayTeller struct {
	hub *hub

	mu     sync.Mutex // guards what follows
	tokens float64
	filled time.Time
	untold uint64
}

func newGatewayTeller(h *hub) *gatewayTeller {
	return &gatewayTeller{hub: h, tokens: channelEventBurst, filled: time.Now()}
}

// tell publishes an event. It does not block.
func (t *gatewayTeller) tell(e gateway.Event) {
	if gatewayEvents[e.Kind] == "" {
		return
	}
	untold := uint64(0)
	switch e.Kind {
	case gateway.EventOpened, gateway.EventClosed, gateway.EventRefused:
		var may bool
		if untold, may = t.take(time.Now()); !may {
			return
		}
	}
	told := apiGatewayEvent(e)
	told.Gateway.Untold = untold
	t.hub.publish(told)
}

// take tells whether another event may be told, and how many were not before it.
func (t *gatewayTeller) take(now time.Time) (untold uint64, may bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = min(channelEventBurst, t.tokens+channelEventRate*now.Sub(t.filled).Seconds())
	t.filled = now
	if t.tokens < 1 {
		t.untold++
		return 0, false
	}
	t.tokens--
	untold, t.untold = t.untold, 0
	return untold, true
}
