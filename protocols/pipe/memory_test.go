package pipe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// memory is a Store in memory.
type memory struct {
	mu          sync.Mutex
	pipes       []Pipe
	states      map[ID]BindState
	grants      []GrantRecord
	revocations []RevocationRecord
}

func newMemory() *memory { return &memory{states: make(map[ID]BindState)} }

func (m *memory) SavePipe(_ context.Context, p Pipe) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.pipes {
		if o.Name == p.Name && p.Name != "" && o.ID != p.ID {
			return wire.Errorf(wire.Taken, "a pipe is named %q already", p.Name)
		}
	}
	m.pipes = append(m.pipes, p)
	return nil
}

func (m *memory) Pipes(context.Context) ([]Pipe, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pipes), nil
}

func (m *memory) find(is func(Pipe) bool) (Pipe, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pipes {
		if is(p) {
			return p, nil
		}
	}
	return Pipe{}, wire.Unknown
}

func (m *memory) PipeByID(_ context.Context, id ID) (Pipe, error) {
	return m.find(func(p Pipe) bool { return p.ID == id })
}

func (m *memory) PipeByName(_ context.Context, name string) (Pipe, error) {
	return m.find(func(p Pipe) bool { return p.Name == name })
}

func (m *memory) RemovePipe(_ context.Context, id ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pipes = slices.DeleteFunc(m.pipes, func(p Pipe) bool { return p.ID == id })
	return nil
}

func (m *memory) State(_ context.Context, id ID) (BindState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[id], nil
}

func (m *memory) SaveState(_ context.Context, id ID, st BindState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[id] = st
	return nil
}

func (m *memory) SaveGrant(_ context.Context, g GrantRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grants = append(m.grants, g)
	return nil
}

func (m *memory) Grants(_ context.Context, id ID) ([]GrantRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.grants), func(g GrantRecord) bool { return g.Pipe != id }), nil
}

func (m *memory) SaveRevocation(_ context.Context, r RevocationRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revocations = append(m.revocations, r)
	return nil
}

func (m *memory) Revocations(_ context.Context, now time.Time) ([]RevocationRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.revocations), func(r RevocationRecord) bool { return !r.Expiry.After(now) }), nil
}
