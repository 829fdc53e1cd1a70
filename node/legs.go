package node

import (
	"context"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/link"
)

// legEvents is how many events of legs wait for who watches them; more are lost
// to it.
const legEvents = 256

// Legs tells of the legs of the node's links as they begin and end, until ctx
// ends. Who is slow misses some.
func (n *Node) Legs(ctx context.Context) <-chan link.Event {
	told := n.legs.add()
	context.AfterFunc(ctx, func() { n.legs.drop(told) })
	return told
}

// legWatches are those who watch.
type legWatches struct {
	mu   sync.Mutex
	subs map[chan link.Event]bool // written under mu alone
}

func (ws *legWatches) add() chan link.Event {
	told := make(chan link.Event, legEvents)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.subs == nil {
		ws.subs = make(map[chan link.Event]bool)
	}
	ws.subs[told] = true
	return told
}

func (ws *legWatches) drop(told chan link.Event) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.subs, told)
	close(told)
}

func (ws *legWatches) tell(e link.Event) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for told := range ws.subs {
		select {
		case told <- e:
		default:
		}
	}
}
