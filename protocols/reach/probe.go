package reach

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// probeTime is how long a path in doubt has to show that it lives. Whoever
	// doubts within a second of the first byte that is not acknowledged has it
	// judged within 5 s.
	probeTime = 4 * time.Second

	// againTime is how often a ping is repeated meanwhile. A transport repeats
	// what was lost at intervals that double, up to the length of an outage;
	// what is new it sends at once.
	againTime = time.Second

	// nudgeTime is how long a probe waits for room for one more stream.
	nudgeTime = 100 * time.Millisecond
)

// Doubt says that somebody got no answer on p. The path is probed, once at a
// time, by libp2p's ping on that very connection; if it turns out dead, its
// connection is closed, so that the swarm and everybody else drop it. The other
// paths to the peer are probed beside it: who loses this one takes the next, and
// one that went the same dead way would cost as long again to notice. The
// channel is closed when p is judged, after 4 s at the latest; p.Live tells the
// outcome. Whatever the far side answers, and be it a refusal, is life.
func (r *Reach) Doubt(p Path) <-chan struct{} {
	judged, begun := r.doubt(p)
	if begun {
		for _, o := range r.Paths(p.Peer()) {
			r.doubt(o)
		}
	}
	return judged
}

// doubt has p probed; begun says that it was not before.
func (r *Reach) doubt(p Path) (judged chan struct{}, begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if judged := r.probes[p.conn]; judged != nil {
		return judged, false
	}
	judged = make(chan struct{})
	if r.closed || p.conn.IsClosed() {
		close(judged)
		return judged, false
	}
	r.probes[p.conn] = judged
	r.running.Go(func() {
		r.probe(p)
		r.mu.Lock()
		delete(r.probes, p.conn)
		r.mu.Unlock()
		close(judged)
	})
	return judged, true
}

// doubtRelays puts the paths to relays in doubt that did not answer.
func (r *Reach) doubtRelays(attempts []Attempt) {
	for _, a := range attempts {
		if a.Transport == Relay && !a.Punch && wire.CodeOf(a.Err) == wire.Timeout {
			r.doubtRelay(a.Addr)
		}
	}
}

// doubtRelay puts the paths to the relay of a relayed address in doubt: one
// that is dead would swallow the next dial through it too. The channels are
// closed when they are judged.
func (r *Reach) doubtRelay(circuit ma.Multiaddr) (judged []<-chan struct{}) {
	relay := RelayOf(circuit)
	if relay == "" {
		return nil
	}
	for _, p := range r.Paths(relay) {
		if p.Direct() {
			judged = append(judged, r.Doubt(p))
		}
	}
	return judged
}

// probe closes p unless it shows that it lives.
func (r *Reach) probe(p Path) {
	ctx, cancel := context.WithTimeout(r.ctx, probeTime)
	defer cancel()
	var relay []<-chan struct{}
	if !p.Direct() {
		relay = r.doubtRelay(p.Remote())
	}
	acked := p.nudge(ctx)
	err := p.insistent(ctx)
	if judge(err, acked()) != dead {
		return
	}
	for _, judged := range relay {
		<-judged // first, so that whoever dials again does not take the relay for alive
	}
	r.cfg.Log.Debug("path is dead", "peer", p.Peer(), "addr", p.Remote(), "err", err)
	_ = p.conn.Close()
}

// insist writes b to s again and again. stop ends that, and s.
func insist(s network.Stream, b []byte) (stop func()) {
	enough := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		again := time.NewTicker(againTime)
		defer again.Stop()
		for {
			select {
			case <-enough:
				return
			case <-again.C:
				_, _ = s.Write(b) // the answer counts
			}
		}
	})
	return func() {
		close(enough)
		_ = s.Reset()
		writing.Wait()
	}
}

// nudge has a QUIC connection send what no flow control holds back: a
// connection whose readers have stopped reading lives, though no ping gets
// through. The function returned reports that the far side has acknowledged
// something since.
func (p Path) nudge(ctx context.Context) (acked func() bool) {
	var q *quic.Conn
	if !p.conn.As(&q) {
		return func() bool { return false }
	}
	before := q.ConnectionStats()
	ctx, cancel := context.WithTimeout(ctx, nudgeTime)
	defer cancel()
	if s, err := p.conn.NewStream(network.WithAllowLimitedConn(ctx, "probe")); err == nil {
		_ = s.Reset() // a frame of its own, to be acknowledged
	}
	return func() bool {
		now := q.ConnectionStats()
		return now.LatestRTT != before.LatestRTT || now.SmoothedRTT != before.SmoothedRTT || now.MeanDeviation != before.MeanDeviation
	}
}

// health is what a probe has found.
type health string

const (
	alive   health = "alive"
	dead    health = "dead"
	unknown health = "unknown" // this side could not ask
)

// judge decides on a probe by what its ping ended with, and whether the far
// side acknowledged anything meanwhile.
//
//	any answer, or an acknowledgement      alive
//	silence, or a connection that is lost  dead
//	no room to ask, or this side's end     unknown
func judge(err error, acked bool) health {
	switch code := wire.CodeOf(err); {
	case err == nil, acked, code == wire.Unsupported, code == wire.BadRequest, errors.Is(err, network.ErrReset):
		return alive
	case code == wire.Timeout, code == wire.Unreachable:
		return dead
	}
	return unknown
}
