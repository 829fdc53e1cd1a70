package gateway

import (
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// keepers keeps the ways open to the pipes that clients of socks rules name:
// one for all clients of a pipe, and for a while after the last.
type keepers struct {
	g *Gateway

	mu    sync.Mutex // guards what follows
	by    map[keptWay]*kept
	ended bool
}

// keptWay is what clients share a keeper for.
type keptWay struct {
	id        pipe.ID
	transport reach.Transport
}

type kept struct {
	*pipe.Keeper
	users int
	idle  time.Time   // since when nobody uses it
	timer *time.Timer // closes it; nil while somebody does
}

func newKeepers(g *Gateway) *keepers { return &keepers{g: g, by: make(map[keptWay]*kept)} }

// take gives the keeper of a pipe, until release is called. Where there is room
// for no more pipes the one makes place that has been idle longest.
func (k *keepers) take(id pipe.ID, t reach.Transport) (*pipe.Keeper, func(), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return nil, nil, errClosed()
	}
	way := keptWay{id, t}
	c := k.by[way]
	if c == nil {
		if most := k.g.cfg.Limits.Pipes; len(k.by) >= most && !k.makeRoomLocked() {
			return nil, nil, wire.LimitError("pipes that clients of socks rules use", int64(most), "")
		}
		c = &kept{Keeper: k.g.cfg.Pipes.Keep(id, pipe.KeepOptions{Transport: t})}
		k.by[way] = c
	}
	c.users++
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	return c.Keeper, sync.OnceFunc(func() { k.release(way, c) }), nil
}

func (k *keepers) release(way keptWay, c *kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.users--; c.users > 0 || k.ended {
		return
	}
	c.idle = time.Now()
	c.timer = time.AfterFunc(k.g.cfg.Limits.PipeIdle, func() { k.drop(way, c) })
}

// drop closes a keeper that nobody has used for long.
func (k *keepers) drop(way keptWay, c *kept) {
	k.mu.Lock()
	mine := k.by[way] == c && c.users == 0
	if mine {
		delete(k.by, way)
	}
	k.mu.Unlock()
	if mine {
		_ = c.Close()
	}
}

// makeRoomLocked closes the keeper that has been idle longest, if one is.
func (k *keepers) makeRoomLocked() bool {
	var oldest keptWay
	var c *kept
	for way, o := range k.by {
		if o.users == 0 && (c == nil || o.idle.Before(c.idle)) {
			oldest, c = way, o
		}
	}
	if c == nil {
		return false
	}
	c.timer.Stop()
	delete(k.by, oldest)
	k.g.spawn(func() { _ = c.Close() })
	return true
}

// close closes all.
func (k *keepers) close() {
	k.mu.Lock()
	k.ended = true
	all := k.by
	k.by = nil
	k.mu.Unlock()
	for _, c := range all {
		if c.timer != nil {
			c.timer.Stop()
		}
		_ = c.Close()
	}
}
