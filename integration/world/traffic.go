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

	mu     sync.Mutex
	writes map[protocol.ID]int64
}

func newTraffic() *Traffic { return &Traffic{writes: make(map[protocol.ID]int64)} }

// Writes is how often the node has written to streams of a protocol so far:
// once for each message of a request, since a stream's negotiation goes out
// with the first.
func (t *Traffic) Writes(id protocol.ID) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes[id]
}

// LogSentMessageStream is called by the swarm for every write to a stream.
func (t *Traffic) LogSentMessageStream(_ int64, id protocol.ID, _ peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes[id]++
}

// LogSentMessage is called by the swarm for every write.
func (t *Traffic) LogSentMessage(int64) {}

// LogRecvMessage is called by the swarm for every read.
func (t *Traffic) LogRecvMessage(int64) {}

// LogRecvMessageStream is called by the swarm for every read from a stream.
func (t *Traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID) {}
