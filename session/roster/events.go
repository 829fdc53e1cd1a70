package roster

import "sync"

// maxEvents caps the events that wait for one watcher.
const maxEvents = 1024

// watch is one watcher: a queue, and a goroutine that empties it.
type watch struct {
	tell func(Event)
	done chan struct{}

	mu    sync.Mutex
	queue []Event
	wake  chan struct{} // something is there, or stopped
	over  bool
}

// Watch has f told what happens, in order, on a goroutine of its own. f may call
// the roster, but not stop, which returns when f is not running any more.
func (r *Roster) Watch(f func(Event)) (stop func()) {
	w := &watch{tell: f, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	r.mu.Lock()
	r.watches[w] = true
	r.mu.Unlock()
	go w.run() // ends with stop, or with Close
	return func() {
		r.mu.Lock()
		delete(r.watches, w)
		r.mu.Unlock()
		w.stop()
	}
}

// endWatches stops all watchers.
func (r *Roster) endWatches() {
	r.mu.Lock()
	all := make([]*watch, 0, len(r.watches))
	for w := range r.watches {
		all = append(all, w)
	}
	clear(r.watches)
	r.mu.Unlock()
	for _, w := range all {
		w.stop()
	}
}

// tellLocked tells all watchers of an event.
func (r *Roster) tellLocked(e Event) {
	e.At = r.cfg.Now()
	for w := range r.watches {
		w.add(e)
	}
}

func (w *watch) add(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.queue) < maxEvents:
		w.queue = append(w.queue, e)
	case w.queue[maxEvents-1].Kind != EventLost:
		w.queue[maxEvents-1] = Event{Kind: EventLost, At: e.At}
	}
	w.rouse()
}

func (w *watch) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) run() {
	defer close(w.done)
	for range w.wake {
		for {
			w.mu.Lock()
			queue, over := w.queue, w.over
			w.queue = nil
			w.mu.Unlock()
			for _, e := range queue {
				w.tell(e)
			}
			if over {
				return
			}
			if len(queue) == 0 {
				break
			}
		}
	}
}

// stop returns when nothing is told any more.
func (w *watch) stop() {
	w.mu.Lock()
	w.over = true
	w.queue = nil
	w.rouse()
	w.mu.Unlock()
	<-w.done
}
