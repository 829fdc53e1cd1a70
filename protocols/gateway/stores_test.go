package gateway

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ruleStore keeps rules in memory.
type ruleStore struct {
	mu    sync.Mutex
	rules []Rule
	err   error // of every write
}

func (s *ruleStore) Rules(context.Context) ([]Rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rules), nil
}

func (s *ruleStore) PutRule(_ context.Context, r Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.rules = slices.DeleteFunc(s.rules, func(o Rule) bool { return o.ID == r.ID })
	s.rules = append(s.rules, r)
	return nil
}

func (s *ruleStore) DeleteRule(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.rules = slices.DeleteFunc(s.rules, func(o Rule) bool { return o.ID == id })
	return nil
}

// memory keeps pipes in memory.
type memory struct {
	mu     sync.Mutex
	pipes  map[pipe.ID]pipe.Pipe
	states map[pipe.ID]pipe.BindState
	grants map[pipe.ID][]pipe.GrantRecord
}

func newMemory() *memory {
	return &memory{
		pipes: make(map[pipe.ID]pipe.Pipe), states: make(map[pipe.ID]pipe.BindState), grants: make(map[pipe.ID][]pipe.GrantRecord),
	}
}

func (m *memory) SavePipe(_ context.Context, p pipe.Pipe) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pipes[p.ID] = p
	return nil
}

func (m *memory) Pipes(context.Context) ([]pipe.Pipe, error) { return nil, nil }

func (m *memory) PipeByID(_ context.Context, id pipe.ID) (pipe.Pipe, error) {
	return m.find(func(p pipe.Pipe) bool { return p.ID == id })
}

func (m *memory) PipeByName(_ context.Context, name string) (pipe.Pipe, error) {
	return m.find(func(p pipe.Pipe) bool { return p.Name == name })
}

func (m *memory) find(is func(pipe.Pipe) bool) (pipe.Pipe, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pipes {
		if is(p) {
			return p, nil
		}
	}
	return pipe.Pipe{}, wire.Unknown
}

func (m *memory) RemovePipe(context.Context, pipe.ID) error { return nil }

func (m *memory) State(_ context.Context, id pipe.ID) (pipe.BindState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[id], nil
}

func (m *memory) SaveState(_ context.Context, id pipe.ID, st pipe.BindState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[id] = st
	return nil
}

func (m *memory) SaveGrant(_ context.Context, g pipe.GrantRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grants[g.Pipe] = append(m.grants[g.Pipe], g)
	return nil
}

func (m *memory) Grants(_ context.Context, id pipe.ID) ([]pipe.GrantRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.grants[id]), nil
}

func (m *memory) SaveRevocation(context.Context, pipe.RevocationRecord) error { return nil }

func (m *memory) Revocations(context.Context, time.Time) ([]pipe.RevocationRecord, error) {
	return nil, nil
}

// mesh is a Router that knows all nodes.
type mesh struct {
	w    *world
	self peer.ID
}

func (m *mesh) Closer(key wire.Key, n int, except ...peer.ID) []peer.AddrInfo {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	var all []peer.AddrInfo
	for _, o := range m.w.nodes {
		if o.id() != m.self && !slices.Contains(except, o.id()) {
			all = append(all, peer.AddrInfo{ID: o.id(), Addrs: o.host.Addrs()})
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

func (m *mesh) Network(peer.ID) string { return "" }

func (m *mesh) Walk(ctx context.Context, key wire.Key, ask pipe.Ask) (pipe.WalkResult, error) {
	var r pipe.WalkResult
	for _, p := range m.Closer(key, pipe.Replication) {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := ask(asking, p)
		cancel()
		r.Asked++
		if err != nil {
			r.Failed++
		} else {
			r.Closest = append(r.Closest, p)
		}
	}
	return r, ctx.Err()
}

func apart(key wire.Key, id peer.ID) []byte {
	d := key.Distance([]byte(id))
	return d[:]
}
