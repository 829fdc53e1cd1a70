package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Ask puts the question of a walk to one node. It returns the nodes closer to
// the key that the node told of. A walk calls it concurrently, once for each
// node; ctx ends with the walk, or with the time that one node has.
type Ask = func(ctx context.Context, p peer.AddrInfo) (closer []peer.AddrInfo, err error)

// WalkResult tells how a walk went.
type WalkResult = struct {
	Closest []peer.AddrInfo // those that answered, nearest first, at most K
	Asked   int             // nodes asked
	Failed  int             // of these, nodes that failed
	Hops    int             // longest chain of nodes that led to one of Closest; 0 = all were known
}

// Walk asks towards key until the K nearest nodes have answered or failed, as
// the package comment specifies. When ctx ends first, it returns what there is
// and the cause. It returns when every call of ask has. A node that is alone
// gets an empty result and no error. One that has only just started asks the
// nodes that it is to join through; if none of them answers, the walk begins
// anew when the node has joined, or fails with NotReady.
func (d *Discovery) Walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error) {
	joined := isClosed(d.board.begun)
	r, err := d.walk(ctx, key, ask)
	if joined || err != nil || len(r.Closest) > 0 {
		return r, err
	}
	if err := d.firstJoin(ctx); err != nil {
		return r, err
	}
	return d.walk(ctx, key, ask)
}

func (d *Discovery) walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error) {
	m := newMachine(d.self, key, defaultLimits(d.cfg.AskTimeout))
	m.networkOf = d.Network
	m.add(d.seeds(key), 0, d.live)
	w := walker{d: d, ask: ask, answers: make(chan answer, 3*Alpha)}
	return w.run(ctx, m)
}

// answer is the outcome of one ask.
type answer struct {
	id     peer.ID
	closer []peer.AddrInfo
	err    error
}

// walker does what a machine says.
type walker struct {
	d       *Discovery
	ask     Ask
	answers chan answer
}

func (w *walker) run(ctx context.Context, m *machine) (WalkResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asks sync.WaitGroup
	var dead []peer.ID
	defer asks.Wait()
	defer cancel()
	defer func() { w.d.verdicts(m, dead) }()

	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		e := m.step(time.Since(began))
		for _, p := range e.ask {
			asks.Go(func() { w.put(ctx, p) })
		}
		if e.done {
			return m.result(), nil
		}
		if e.wake > 0 {
			timer.Reset(e.wake - time.Since(began))
		}
		select {
		case <-ctx.Done():
			return m.result(), context.Cause(ctx)
		case <-timer.C:
		case a := <-w.answers:
			if a.err == nil {
				w.d.servers.clear(a.id)
				m.answered(a.id, a.closer, w.d.live, time.Since(began))
				continue
			}
			silent := unresponsive(a.err)
			m.failedAsk(a.id, !silent && w.d.cfg.Host.Network().Connectedness(a.id) != network.Connected)
			if silent {
				dead = append(dead, a.id)
			}
		}
	}
}

// put asks one node and hands the outcome to run, unless that has ended.
func (w *walker) put(ctx context.Context, p peer.AddrInfo) {
	asking, cancel := context.WithTimeoutCause(ctx, w.d.cfg.AskTimeout,
		wire.Errorf(wire.Timeout, "node %s did not answer within %s", p.ID, w.d.cfg.AskTimeout))
	defer cancel()
	if w.d.cfg.Host.Network().Connectedness(p.ID) != network.Connected {
		w.d.cfg.Host.Peerstore().AddAddrs(p.ID, p.Addrs, learnedFor)
	}
	closer, err := w.ask(asking, p)
	if ctx.Err() != nil {
		return
	}
	if err != nil && asking.Err() != nil {
		err = context.Cause(asking)
	}
	select {
	case w.answers <- answer{id: p.ID, closer: closer, err: err}:
	case <-ctx.Done():
	}
}

// unresponsive reports that an ask failed for want of any answer.
func unresponsive(err error) bool {
	return errors.Is(err, wire.Unreachable) || wire.CodeOf(err) == wire.Timeout
}

// verdicts takes what a walk has learned about nodes over to the next one:
// those that kept silent are asked last for a while and leave the routing
// table, which takes them back when they speak. Where nobody has answered the
// fault may be on this side, and nobody is judged.
func (d *Discovery) verdicts(m *machine, dead []peer.ID) {
	anybody := false
	for _, c := range m.cands {
		anybody = anybody || c.phase == phaseAnswered
		if c.phase == phaseAsked && c.lost {
			dead = append(dead, c.id)
		}
	}
	if !anybody {
		return
	}
	for _, p := range dead {
		if c := m.byID[p]; c != nil && c.phase == phaseAnswered {
			continue // at another address
		}
		d.servers.suspect(p, time.Now())
		d.kad.RoutingTable().RemovePeer(p)
	}
}
