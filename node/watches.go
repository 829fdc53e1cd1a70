package node

import "sync"

// watches are those who are told of events.
type watches[E any] struct {
	mu   sync.RWMutex
	all  map[int]func(E)
	next int
}

func (ws *watches[E]) add(tell func(E)) (stop func()) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = make(map[int]func(E))
	}
	key := ws.next
	ws.next++
	ws.all[key] = tell
	return func() {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		delete(ws.all, key)
	}
}

func (ws *watches[E]) tell(e E) {
	ws.mu.RLock()
	defer ws.mu.RUnlock()
	for _, tell := range ws.all {
		tell(e)
	}
}
