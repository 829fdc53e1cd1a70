package pipe

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// cacheBytes caps the records in the cache, beside its cap of pipes.
const cacheBytes = 16 << 20

// cache keeps what was proven about pipes, least recently used out first. An
// entry outlives its bindings: its binders are asked again first. "Not found"
// removes nothing.
type cache struct {
	pipes int // cap

	mu    sync.Mutex
	byID  map[ID]*list.Element
	byKey map[wire.Key]*list.Element
	used  *list.List // of *cached, most recently used first
	bytes int
	watch map[ID][]*watcher
}

type cached struct {
	id        ID
	key       wire.Key
	known     known
	res       *Resolution // what known comes to until the time below; nil when nothing is live
	until     time.Time
	preferred identity.Principal // the binder that a dial reached last
	confirmed time.Time          // when nodes near the key were last asked about it
}

type watcher struct{ changed func() }

func newCache(pipes int) *cache {
	return &cache{
		pipes: pipes,
		byID:  make(map[ID]*list.Element),
		byKey: make(map[wire.Key]*list.Element),
		used:  list.New(),
		watch: make(map[ID][]*watcher),
	}
}

// resolution returns what is live, nil if nothing is.
func (c *cache) resolution(id ID, now time.Time) *Resolution {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byID[id]
	if !ok {
		return nil
	}
	e := el.Value.(*cached)
	if !now.Before(e.until) {
		e.refresh(now)
	}
	c.used.MoveToFront(el)
	return e.res
}

// records returns everything that is kept of a pipe.
func (c *cache) records(id ID) known {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byID[id]; ok {
		return el.Value.(*cached).known.clone()
	}
	return known{}
}

// underKey returns what is kept of the pipe with this key.
func (c *cache) underKey(key wire.Key) (ID, known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[key]
	if !ok {
		return ID{}, known{}, false
	}
	e := el.Value.(*cached)
	return e.id, e.known.clone(), true
}

// len is how many pipes something is kept of.
func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used.Len()
}

// has reports whether something is kept of a pipe.
func (c *cache) has(id ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.byID[id]
	return ok
}

// add takes verified records of one pipe in and tells the watchers of a change.
// It reports whether the pipe is new here.
func (c *cache) add(id ID, now time.Time, records ...Found) (fresh bool) {
	return c.change(id, now, func(k *known) (changed bool) {
		for _, f := range records {
			changed = k.add(f) || changed
		}
		return changed
	})
}

// raise notes the term of a record that a revocation has voided.
func (c *cache) raise(id ID, now time.Time, term uint64) (fresh bool) {
	return c.change(id, now, func(k *known) bool {
		before := len(k.records)
		k.raise(term)
		return len(k.records) != before
	})
}

// void removes what a revocation has ended.
func (c *cache) void(id ID, now time.Time, revoked func(Binding) bool) {
	if c.has(id) {
		c.change(id, now, func(k *known) bool { return k.void(revoked) })
	}
}

// voidOf is void for all pipes that an account owns.
func (c *cache) voidOf(owner identity.Principal, now time.Time, voids func(Binding) bool) {
	for _, id := range c.ownedBy(owner) {
		c.void(id, now, voids)
	}
}

func (c *cache) ownedBy(owner identity.Principal) (all []ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, el := range c.byID {
		k := el.Value.(*cached).known
		if len(k.records) > 0 && k.records[0].Binding.Advertisement.Owner == owner {
			all = append(all, id)
		}
	}
	return all
}

// change makes a change to what is known of a pipe, and tells the watchers of
// it. It reports whether the pipe is new here.
func (c *cache) change(id ID, now time.Time, change func(*known) bool) (fresh bool) {
	c.mu.Lock()
	el, ok := c.byID[id]
	if !ok {
		e := &cached{id: id, key: id.Key()}
		el = c.used.PushFront(e)
		c.byID[id], c.byKey[e.key] = el, el
	}
	e := el.Value.(*cached)
	c.used.MoveToFront(el)
	c.bytes -= e.known.size()
	changed := change(&e.known)
	c.bytes += e.known.size()
	c.evictLocked()
	c.finishLocked(e, changed, now)
	return !ok
}

// finishLocked unlocks, and calls the watchers after.
func (c *cache) finishLocked(e *cached, changed bool, now time.Time) {
	if changed {
		e.refresh(now)
	}
	c.mu.Unlock()
	if changed {
		c.tell(e.id)
	}
}

// tell calls the watchers of a pipe: something new about it is on this node.
func (c *cache) tell(id ID) {
	c.mu.Lock()
	watchers := slices.Clone(c.watch[id])
	c.mu.Unlock()
	for _, w := range watchers {
		w.changed()
	}
}

func (c *cache) evictLocked() {
	for c.used.Len() > c.pipes || (c.bytes > cacheBytes && c.used.Len() > 1) {
		e := c.used.Remove(c.used.Back()).(*cached)
		delete(c.byID, e.id)
		delete(c.byKey, e.key)
		c.bytes -= e.known.size()
	}
}

// onChange calls changed, which must not block, whenever the records of a pipe
// change, until stop is called.
func (c *cache) onChange(id ID, changed func()) (stop func()) {
	w := &watcher{changed: changed}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch[id] = append(c.watch[id], w)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watch[id] = slices.DeleteFunc(c.watch[id], func(other *watcher) bool { return other == w })
		if len(c.watch[id]) == 0 {
			delete(c.watch, id)
		}
	}
}

// prefer notes the binder that a dial has reached.
func (c *cache) prefer(id ID, binder identity.Principal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byID[id]; ok {
		el.Value.(*cached).preferred = binder
	}
}

// preferred returns the binder noted last, nobody if none was.
func (c *cache) preferred(id ID) identity.Principal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byID[id]; ok {
		return el.Value.(*cached).preferred
	}
	return identity.Principal{}
}

// refresh makes the resolution anew, good until the next record ends.
func (e *cached) refresh(now time.Time) {
	// A record is believed past its end for as long as clocks may differ, but
	// a cache need not: past its end the overlay is asked again.
	var fresh []Found
	e.until = now.Add(MaxLife)
	for _, f := range e.known.live(now) {
		if end := f.Binding.Expires(); now.Before(end) {
			f.Origin = OriginCached
			fresh = append(fresh, f)
			if end.Before(e.until) {
				e.until = end
			}
		}
	}
	e.res = nil
	if len(fresh) > 0 {
		e.res = &Resolution{Pipe: e.id, Advertisement: fresh[0].Binding.Advertisement, Bindings: fresh}
	}
}
