package reach

import (
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
)

// watchPunchers subscribes to what repunch needs.
func watchPunchers(h host.Host) (event.Subscription, error) {
	return h.EventBus().Subscribe([]any{new(event.EvtPeerProtocolsUpdated), new(event.EvtLocalProtocolsUpdated)},
		eventbus.Name("panpipe reach"), eventbus.BufSize(64))
}

// repunch sees to hole punches that came too early. Whoever takes a relayed
// connection begins to punch at once, and go-libp2p tries that once for each
// connection. But a node takes part only from the moment it knows a public
// address of its own, which it looks for at intervals of up to 5 s; a node that
// has just started is dialled, or dials, before. So holes are punched again when
// either side says that it takes part now. It ends when sub is closed.
func (r *Reach) repunch(sub event.Subscription) {
	for e := range sub.Out() {
		switch e := e.(type) {
		case event.EvtPeerProtocolsUpdated:
			if slices.Contains(e.Added, holepunch.Protocol) {
				r.punch(e.Peer)
			}
		case event.EvtLocalProtocolsUpdated:
			if slices.Contains(e.Added, holepunch.Protocol) {
				for _, p := range r.sw.Peers() {
					r.punch(p)
				}
			}
		}
	}
}

// punch punches holes for p if this side has to and nobody does so already.
func (r *Reach) punch(p peer.ID) {
	if !r.punches() || !r.farPunches(p) || !r.tookRelayed(p) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.cfg.Punches.again(p)
	}
}

// tookRelayed reports that p is connected by relays alone, and dialled at least
// one of these connections.
func (r *Reach) tookRelayed(p peer.ID) bool {
	took := false
	for _, path := range r.Paths(p) {
		if path.Direct() {
			return false
		}
		took = took || path.conn.Stat().Direction == network.DirInbound && !r.Adopted(path.conn)
	}
	return took
}

// Option has go-libp2p's hole punching tell how punches fail, and be at hand
// for another try.
func (ps *Punches) Option() holepunch.Option {
	return func(s *holepunch.Service) error {
		ps.mu.Lock()
		ps.service = s
		ps.mu.Unlock()
		return nil
	}
}

// again has the host punch holes for p once more, unless that has just been
// done. It ends with the host, so Reach.Join waits for it and not Reach.Close.
func (ps *Punches) again(p peer.ID) {
	ps.mu.Lock()
	service, due := ps.service, ps.dueLocked(p, time.Now())
	ps.mu.Unlock()
	if service != nil && due {
		ps.running.Go(func() { _ = service.DirectConnect(p) }) // how it ends is traced, or shows in a path
	}
}

// dueLocked reports that holes may be punched for p anew, and notes that they
// are: once in PunchTime, since each try dials what p names, and p may say as
// often as it likes that it takes part now.
func (ps *Punches) dueLocked(p peer.ID, now time.Time) bool {
	maps.DeleteFunc(ps.anew, func(_ peer.ID, at time.Time) bool { return now.Sub(at) >= PunchTime })
	if _, lately := ps.anew[p]; lately || len(ps.anew) >= maxPunches {
		return false
	}
	if ps.anew == nil {
		ps.anew = make(map[peer.ID]time.Time)
	}
	ps.anew[p] = now
	return true
}
