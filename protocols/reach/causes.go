package reach

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Causes hears what each dial of the swarm failed of. The swarm tells that only
// when all addresses of a peer have failed, not when time runs out before. The
// zero value is ready.
type Causes struct {
	mu   sync.Mutex
	last map[string]heard // by binary address
	news chan struct{}    // closed at the next failure; nil while nobody waits
}

type heard struct {
	when time.Time
	why  error
}

// maxCauses caps how many addresses Causes keeps something of.
const maxCauses = 1024

// slowTime is what addresses over UDP have to answer once all others have
// failed: silence is all that a closed port gives there. A silent QUIC dial
// takes nextAfter, and WebRTC begins a second after the others.
const slowTime = nextAfter + time.Second

// Watch has the swarm of h tell its failed dials, and everything to metrics,
// which may be nil. It comes in the place of the tracer that h was built with,
// before h listens or dials.
func (cs *Causes) Watch(h host.Host, metrics swarm.MetricsTracer) error {
	sw, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return nil // New says so
	}
	if metrics == nil {
		metrics = noMetrics{}
	}
	return swarm.WithMetricsTracer(causeTracer{metrics, cs})(sw)
}

type causeTracer struct {
	swarm.MetricsTracer
	causes *Causes
}

// FailedDialing takes in why one dial failed, unless it was called off.
func (t causeTracer) FailedDialing(a ma.Multiaddr, why, ended error) {
	t.MetricsTracer.FailedDialing(a, why, ended)
	if !errors.Is(ended, context.Canceled) && !errors.Is(why, context.Canceled) {
		t.causes.note(a, why)
	}
}

func (cs *Causes) note(a ma.Multiaddr, why error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.last == nil || len(cs.last) >= maxCauses {
		cs.last = make(map[string]heard) // causes are of use for seconds
	}
	cs.last[string(a.Bytes())] = heard{time.Now(), why}
	if cs.news != nil {
		close(cs.news)
		cs.news = nil
	}
}

// since is what the last dial of a, to p, failed of; false if none has since
// then.
func (cs *Causes) since(p peer.ID, a ma.Multiaddr, then time.Time) (heard, bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	h, ok := cs.last[string(a.Bytes())]
	if plain := plainer(a); !ok && plain != nil {
		h, ok = cs.last[string(plain.Bytes())]
	}
	var mismatch sec.ErrPeerIDMismatch
	if !ok || h.when.Before(then) || errors.As(h.why, &mismatch) && mismatch.Expected != p {
		return heard{}, false
	}
	return h, true
}

// plainer is the address on the same port that the swarm dials in the place of
// a, where it has both; nil if there is none of the kind.
func plainer(a ma.Multiaddr) ma.Multiaddr {
	switch t := TransportOf(a); {
	case (t == WS || t == WSS) && len(a) > 2:
		return a[:2]
	case t == WebTransport && len(a) > 3:
		return a[:3]
	}
	return nil
}

// next is closed at the next failure of any dial.
func (cs *Causes) next() <-chan struct{} {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.news == nil {
		cs.news = make(chan struct{})
	}
	return cs.news
}

// slowLeft ends with ctx, or when slowTime has passed and none but slow ones of
// addrs are left.
func (cs *Causes) slowLeft(ctx context.Context, p peer.ID, addrs []ma.Multiaddr, start time.Time) bool {
	timer := time.NewTimer(time.Until(start.Add(slowTime)))
	defer timer.Stop()
	for late := false; ; {
		news := cs.next()
		if late && cs.onlySlow(p, addrs, start) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-news:
		case <-timer.C:
			late = true
		}
	}
}

// onlySlow reports that some of addrs have failed, and that those which have
// not would tell of a closed port by silence alone.
func (cs *Causes) onlySlow(p peer.ID, addrs []ma.Multiaddr, start time.Time) bool {
	failures := 0
	for _, a := range addrs {
		if _, ok := cs.since(p, a, start); ok {
			failures++
			continue
		}
		switch TransportOf(a) {
		case WebRTC:
		case QUIC, WebTransport:
			if targetOf("", a).kind == classPublic { // many of these are dialled one after the other
				return false
			}
		default:
			return false
		}
	}
	return failures > 0
}

// errGivenUp is told of addresses that were silent when all others had failed.
func errGivenUp() error {
	return wire.Errorf(wire.Timeout, "no answer within %s, and every other address has failed", slowTime)
}

// noMetrics is no tracer.
type noMetrics struct{}

func (noMetrics) OpenedConnection(network.Direction, crypto.PubKey, network.ConnectionState, ma.Multiaddr) {
}
func (noMetrics) ClosedConnection(network.Direction, time.Duration, network.ConnectionState, ma.Multiaddr) {
}
func (noMetrics) CompletedHandshake(time.Duration, network.ConnectionState, ma.Multiaddr) {}
func (noMetrics) FailedDialing(ma.Multiaddr, error, error)                                {}
func (noMetrics) DialCompleted(bool, int, time.Duration)                                  {}
func (noMetrics) DialRankingDelay(time.Duration)                                          {}
func (noMetrics) UpdatedBlackHoleSuccessCounter(string, swarm.BlackHoleState, int, float64) {
}
