package connections

import (
	"maps"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/peer"
)

// value is the sum of the tags.
func (p *connected) value() (sum int) {
	for _, v := range p.tags {
		sum += v
	}
	return sum
}

// TagPeer gives a connected node a value, which it has until it is untagged or
// its last connection ends. On others a tag is lost.
func (m *Manager) TagPeer(id peer.ID, tag string, value int) {
	m.UpsertTag(id, tag, func(int) int { return value })
}

// UpsertTag changes the value of a tag, 0 if there is none.
func (m *Manager) UpsertTag(id peer.ID, tag string, upsert func(int) int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[id]; p != nil {
		p.tags[tag] = upsert(p.tags[tag])
	}
}

// UntagPeer takes a tag away.
func (m *Manager) UntagPeer(id peer.ID, tag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[id]; p != nil {
		delete(p.tags, tag)
	}
}

// GetTagInfo tells the tags of a connected node; nil for others.
func (m *Manager) GetTagInfo(id peer.ID) *connmgr.TagInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[id]
	if p == nil {
		return nil
	}
	conns := make(map[string]time.Time)
	for _, c := range p.conns {
		conns[c.RemoteMultiaddr().String()] = c.Stat().Opened
	}
	return &connmgr.TagInfo{FirstSeen: p.since, Value: p.value(), Tags: maps.Clone(p.tags), Conns: conns}
}

// Protect keeps the connections to a node, whether there are any yet or not,
// until Unprotect is called with the same tag.
func (m *Manager) Protect(id peer.ID, tag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.protected[id] == nil {
		m.protected[id] = make(map[string]struct{})
	}
	m.protected[id][tag] = struct{}{}
}

// Unprotect takes a protection away, and reports whether there is another one.
func (m *Manager) Unprotect(id peer.ID, tag string) (protected bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.protected[id], tag)
	if len(m.protected[id]) > 0 {
		return true
	}
	delete(m.protected, id)
	m.lookLocked()
	return false
}

// IsProtected reports a protection under a tag, or under any if it is empty.
func (m *Manager) IsProtected(id peer.ID, tag string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tag == "" {
		return len(m.protected[id]) > 0
	}
	_, yes := m.protected[id][tag]
	return yes
}
