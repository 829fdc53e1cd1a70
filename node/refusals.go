package node

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// capName is a limit and the setting that moves it.
type capName struct{ limit, setting string }

var (
	capMemory      = capName{"memory reserved for buffers", settingMemory}
	capStreams     = capName{"streams", settingStreams}
	capPeerStreams = capName{"streams with one peer", settingStreamsPerPeer}
	capConns       = capName{"connections", settingConns}
	capPeerConns   = capName{"connections per peer", settingConnsPerPeer}
	capIPConns     = capName{"connections per IP address, open or new", settingConnsPerIP}
	capForeign     = capName{"streams of a protocol of libp2p's own", ""}
)

// pipeCaps are the caps of the pipe service.
var pipeCaps = map[pipe.Cap]capName{
	pipe.CapRate:    {string(pipe.CapRate), "limits.requests"},
	pipe.CapServing: {string(pipe.CapServing), ""},
	pipe.CapBacklog: {string(pipe.CapBacklog), "limits.backlog"},
	pipe.CapConns:   {string(pipe.CapConns), "limits.pipe_connections"},
}

// refusals counts what the node's limits have refused. It is told by the
// resource manager, while that holds a lock, by the pipe service, and by the
// gateway.
type refusals struct {
	overlay string // prefix of our protocols

	mu     sync.Mutex
	counts map[capName]refusal
}

type refusal struct {
	n    uint64
	last time.Time
}

func newRefusals(overlay string) *refusals {
	return &refusals{overlay: overlay, counts: make(map[capName]refusal)}
}

func (r *refusals) count(c capName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[c] = refusal{r.counts[c].n + 1, time.Now()}
}

// list tells what was refused, what was refused last first.
func (r *refusals) list() []doctor.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []doctor.Refusal
	for c, n := range r.counts {
		all = append(all, doctor.Refusal{Limit: c.limit, Setting: c.setting, Count: n.n, Last: n.last})
	}
	slices.SortFunc(all, func(a, b doctor.Refusal) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return strings.Compare(a.Limit, b.Limit)
	})
	return all
}

// ConsumeEvent takes in what the resource manager blocks.
func (r *refusals) ConsumeEvent(e rcmgr.TraceEvt) {
	switch e.Type {
	case rcmgr.TraceBlockReserveMemoryEvt:
		r.count(capMemory)
	case rcmgr.TraceBlockAddConnEvt:
		r.count(connCap(e.Name))
	case rcmgr.TraceBlockAddStreamEvt:
		r.count(r.streamCap(e.Name))
	}
}

// connCap names the limit of a scope of the resource manager on connections.
func connCap(scope string) capName {
	if strings.HasPrefix(scope, "peer:") {
		return capPeerConns
	}
	return capConns // of the system, or of half of it for those that are being made
}

// streamCap names the limit of a scope on streams.
func (r *refusals) streamCap(scope string) capName {
	of, peer, one := strings.Cut(scope, "peer:")
	switch {
	case scope == "system":
		return capStreams
	case of == "" && peer != "", scope == "transient":
		return capPeerStreams
	case !strings.HasPrefix(scope, "protocol:/"+r.overlay+"/"):
		return capForeign
	case one:
		return capPeerStreams
	}
	return capStreams
}

// watched is a resource manager that counts the connections refused for their
// IP address, which it does not trace.
type watched struct {
	network.ResourceManager
	rcmgr.ResourceManagerState
	refusals *refusals
}

// isScopeLimit reports that a scope refused, which is traced, or has ended.
func isScopeLimit(err error) bool {
	return errors.Is(err, network.ErrResourceLimitExceeded) || errors.Is(err, network.ErrResourceScopeClosed)
}

// OpenConnection asks the resource manager. A refusal that is none of its
// scopes' is one of the limits by address.
func (w watched) OpenConnection(d network.Direction, fd bool, a ma.Multiaddr) (network.ConnManagementScope, error) {
	scope, err := w.ResourceManager.OpenConnection(d, fd, a)
	if err != nil && !isScopeLimit(err) {
		w.refusals.count(capIPConns)
		err = wire.Errorf(wire.Limit, "limit %s reached: %w", capIPConns.limit, err).WithNext("raise %s", capIPConns.setting)
	}
	return scope, err
}
