package connections

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// settle is how long a change waits for others of the same moment, so that they
// are looked at together.
const settle = time.Millisecond

// Manager is a connmgr.ConnManager that keeps to a limit as the package comment
// says. Its methods may be called concurrently. TagPeer and its kin are in
// tags.go.
type Manager struct {
	// fixed
	limit      int
	background []protocol.ID

	closes sync.WaitGroup // of connections

	// guarded by mu, which may be held while the locks of a libp2p connection
	// are taken
	mu        sync.Mutex
	peers     map[peer.ID]*connected
	count     int // connections of all peers
	protected map[peer.ID]map[string]struct{}
	timer     *time.Timer // looks after the limit when it fires
	closed    bool
}

var _ connmgr.ConnManager = (*Manager)(nil)

// connected is a node with at least one connection.
type connected struct {
	conns []network.Conn
	since time.Time
	tags  map[string]int
}

// New makes a manager for at most limit connections. Streams of the background
// protocols do not make a connection busy.
func New(limit int, background ...protocol.ID) *Manager {
	m := &Manager{
		limit: limit, background: background,
		peers: make(map[peer.ID]*connected), protected: make(map[peer.ID]map[string]struct{}),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer = time.AfterFunc(time.Hour, m.trim)
	m.timer.Stop()
	return m
}

// CheckLimit implements connmgr.ConnManager.
func (m *Manager) CheckLimit(system connmgr.GetConnLimiter) error {
	if hard := system.GetConnLimit(); hard < m.limit {
		return fmt.Errorf("at most %d connections are wanted, but the system limit is %d", m.limit, hard)
	}
	return nil
}

// Close ends the manager. It returns when it does nothing any more.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	m.timer.Stop()
	m.mu.Unlock()
	m.closes.Wait()
	return nil
}

// Notifee takes in what connections are made and end.
func (m *Manager) Notifee() network.Notifiee {
	return &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { m.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { m.disconnected(c) },
	}
}

func (m *Manager) connected(c network.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[c.RemotePeer()]
	if p == nil {
		p = &connected{since: time.Now(), tags: make(map[string]int)}
		m.peers[c.RemotePeer()] = p
	}
	p.conns = append(p.conns, c)
	m.count++
	m.lookLocked()
}

func (m *Manager) disconnected(c network.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[c.RemotePeer()]
	if p == nil {
		return // this manager has closed it
	}
	i := slices.Index(p.conns, c)
	if i < 0 {
		return
	}
	p.conns = slices.Delete(p.conns, i, i+1)
	m.count--
	if len(p.conns) == 0 {
		delete(m.peers, c.RemotePeer())
	}
}

// lookLocked has the limit looked after, if there is a need. It is not done
// here, amid the notifications of a connection that has just been made.
func (m *Manager) lookLocked() {
	if m.count > m.limit && !m.closed {
		m.timer.Reset(settle)
	}
}

// TrimOpenConns closes what is too much right now.
func (m *Manager) TrimOpenConns(context.Context) { m.trim() }

// trim closes what is too much, and plans to look again when there is more to
// close later. Each connection is closed on a goroutine of its own, since
// telling a far end that does not read may take long.
func (m *Manager) trim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	parting, again := choose(m.standingsLocked(), m.limit, time.Now())
	for _, id := range parting {
		p := m.peers[id]
		delete(m.peers, id)
		m.count -= len(p.conns)
		for _, c := range p.conns {
			m.closes.Go(func() { _ = c.CloseWithError(network.ConnGarbageCollected) })
		}
	}
	if again > 0 {
		m.timer.Reset(again)
	}
}

func (m *Manager) standingsLocked() []standing {
	if m.count <= m.limit {
		return nil
	}
	all := make([]standing, 0, len(m.peers))
	for id, p := range m.peers {
		all = append(all, standing{
			peer: id, conns: len(p.conns), since: p.since, value: p.value(),
			protected: len(m.protected[id]) > 0, busy: slices.ContainsFunc(p.conns, m.busy),
		})
	}
	return all
}

// busy reports that something is going on on a connection.
func (m *Manager) busy(c network.Conn) bool {
	return slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool {
		return !slices.Contains(m.background, s.Protocol())
	})
}
