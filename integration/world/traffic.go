package world

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Traffic counts what one node sends, by protocol. It is the node's bandwidth
// reporter, and takes part in nothing else.
type Traffic struct {
	metrics.Reporter // nil: what is not overridden is not called

	mu   sync.Mutex
	sent map[protocol.ID]Sent
}

// Sent is what went out on streams of one protocol.
type Sent struct {
	Writes int64 // writes to streams: one for each message of a request that opens lazily
	Bytes  int64
}

func newTraffic() *Traffic { return &Traffic{sent: make(map[protocol.ID]Sent)} }

// Sent returns what was sent so far.
func (t *Traffic) Sent(id protocol.ID) Sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent[id]
}

// LogSentMessageStream is called by the swarm for every write to a stream.
func (t *Traffic) LogSentMessageStream(size int64, id protocol.ID, _ peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sent[id]
	s.Writes++
	s.Bytes += size
	t.sent[id] = s
}

// LogSentMessage is called by the swarm for every write.
func (t *Traffic) LogSentMessage(int64) {}

// LogRecvMessage is called by the swarm for every read.
func (t *Traffic) LogRecvMessage(int64) {}

// LogRecvMessageStream is called by the swarm for every read from a stream.
func (t *Traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID) {}
