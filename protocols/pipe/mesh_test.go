package pipe

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// mesh is a Router that knows all nodes.
type mesh struct {
	world *world
	self  peer.ID
	// network tells where nodes are; nil is for one LAN.
	network func(peer.ID) string

	mu  sync.Mutex
	off bool
}

func (m *mesh) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
}

func (m *mesh) Closer(key wire.Key, n int, except ...peer.ID) []peer.AddrInfo {
	m.mu.Lock()
	off := m.off
	m.mu.Unlock()
	if off {
		return nil
	}
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	var all []peer.AddrInfo
	for _, o := range m.world.nodes {
		if o.id() != m.self && !slices.Contains(except, o.id()) {
			all = append(all, o.info())
		}
	}
	slices.SortFunc(all, func(a, b peer.AddrInfo) int { return bytes.Compare(apart(key, a.ID), apart(key, b.ID)) })
	return all[:min(n, len(all))]
}

func (m *mesh) CloserThanSelf(key wire.Key) int {
	n := 0
	for _, p := range m.Closer(key, 1<<20) {
		if bytes.Compare(apart(key, p.ID), apart(key, m.self)) < 0 {
			n++
		}
	}
	return n
}

func (m *mesh) Network(id peer.ID) string {
	if m.network == nil {
		return ""
	}
	return m.network(id)
}

func (m *mesh) Walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error) {
	var r WalkResult
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range m.Closer(key, Replication) {
		wg.Go(func() {
			asking, cancel := context.WithCancel(ctx) // as a walk does: an ask's time ends with it
			defer cancel()
			_, err := ask(asking, p)
			mu.Lock()
			defer mu.Unlock()
			r.Asked++
			if err != nil {
				r.Failed++
			} else {
				r.Closest = append(r.Closest, p)
			}
		})
	}
	wg.Wait()
	return r, ctx.Err()
}

func apart(key wire.Key, id peer.ID) []byte {
	d := key.Distance([]byte(id))
	return d[:]
}

// tally is a Tracer that counts, and lets a test wait for a count.
type tally struct {
	mu     sync.Mutex
	events []Event
	more   chan struct{}
}

func (c *tally) Trace(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
	if c.more != nil {
		close(c.more)
		c.more = nil
	}
}

func (c *tally) count(kind EventKind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, e := range c.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// await waits until n events of a kind have happened.
func (c *tally) await(t testing.TB, kind EventKind, n int) {
	t.Helper()
	ctx := within(t)
	for c.count(kind) < n {
		c.mu.Lock()
		if c.more == nil {
			c.more = make(chan struct{})
		}
		more := c.more
		c.mu.Unlock()
		if c.count(kind) >= n {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("%d events %s, expected %d", c.count(kind), kind, n)
		}
	}
}
