package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Start makes a node and sets it going. It returns as soon as the node listens;
// Ready tells when resolving will work. ctx bounds the start alone: the node
// runs until Close. On an error nothing of it is left.
//
// Errors: wire.Taken for a listen port in use and for a state directory that
// another node runs on, wire.BadRequest for what the Config cannot mean,
// wire.Internal for a damaged key or store.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	given := cfg.Log
	cfg, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	join, err := parseJoin(cfg)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, reg: newRegistry(), join: join, started: time.Now(), refusals: newRefusals(cfg.Overlay)}
	stopLogs := routeLibp2p(given, cfg.LogLevels)
	n.onClose(func() error { stopLogs(); return nil })
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// start makes the parts, from the ground up. Each leaves behind how it is
// closed.
func (n *Node) start(ctx context.Context) error {
	key, err := n.openState(ctx)
	if err != nil {
		return err
	}
	var servers atomic.Pointer[discovery.Discovery] // there once discovery is
	punches, causes := new(reach.Punches), new(reach.Causes)
	n.onClose(n.joinReach) // after the host
	if err := n.startHost(key, punches, causes, &servers); err != nil {
		return err
	}
	changed, err := n.watchAddrs()
	if err != nil {
		return err
	}
	if err := n.startReach(punches, causes); err != nil {
		return err
	}
	if err := n.startLinks(ctx); err != nil {
		return err
	}
	if err := listen(n.host, n.cfg); err != nil {
		return err
	}
	if err := n.startDiscovery(ctx, changed); err != nil {
		return err
	}
	servers.Store(n.disc)
	n.run(ctx, "relays", n.watchRelays, func() error { return nil })
	if err := n.startPipes(ctx, key, changed); err != nil {
		return err
	}
	if err := n.startGateway(ctx); err != nil {
		return err
	}
	if err := n.startPeople(ctx); err != nil {
		return err
	}
	n.startNetwatch(ctx)
	if err := ctx.Err(); err != nil {
		return wire.Errorf(wire.CodeOf(err), "start of the node: %w", err)
	}
	return nil
}

// startHost makes the host and the gate before its dials. AutoRelay is offered
// the servers that discovery knows once it is there.
func (n *Node) startHost(key crypto.PrivKey, punches *reach.Punches, causes *reach.Causes, servers *atomic.Pointer[discovery.Discovery]) (err error) {
	n.host, n.gate, err = newHost(n.cfg, hostParts{
		key: key, reg: n.reg, refusals: n.refusals, punches: punches, causes: causes, place: &n.place,
		relays: relaySource(func(count int) []peer.AddrInfo {
			if d := servers.Load(); d != nil {
				return relayCandidates(n.host, d, count)
			}
			return nil
		}),
		mapper: func(m *portMapper) { n.mapper = m },
	})
	if err != nil {
		return err
	}
	n.onClose(n.host.Close)
	return nil
}

// openState takes the state directory, its key and its store.
func (n *Node) openState(ctx context.Context) (crypto.PrivKey, error) {
	lock, err := lockDir(n.cfg.StateDir)
	if err != nil {
		return nil, err
	}
	n.onClose(lock.Close)
	key, err := loadKey(n.cfg.StateDir)
	if err != nil {
		return nil, err
	}
	path := ""
	if n.cfg.StateDir != "" {
		path = filepath.Join(n.cfg.StateDir, store.FileName)
	}
	n.store, err = store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	n.onClose(n.store.Close)
	return key, n.loadAccount(ctx, key)
}

func (n *Node) startReach(punches *reach.Punches, causes *reach.Causes) (err error) {
	n.reach, err = reach.New(reach.Config{Host: n.host, Gater: n.gate, Punches: punches, Causes: causes, Log: n.log("reach")})
	if err != nil {
		return err
	}
	n.onClose(n.reach.Close)
	n.onClose(n.gate.Close) // after those who have something to say to others at the end
	return nil
}

// joinReach waits for what of reach ends with the host.
func (n *Node) joinReach() error {
	if n.reach != nil {
		n.reach.Join()
	}
	return nil
}

func (n *Node) startDiscovery(ctx context.Context, changed chan<- struct{}) (err error) {
	n.disc, err = discovery.New(ctx, discovery.Config{
		Host: n.host, Reach: n.reach, Overlay: n.cfg.Overlay, Join: n.join,
		MDNS: !n.cfg.DisableMDNS, Role: discovery.Role(n.cfg.Role),
		Store: n.store, Gate: n.gate, ObservedChanged: func() { signal(changed) },
		Log: n.log("discovery"), Providers: n.cfg.Providers,
	})
	if err != nil {
		return err
	}
	registerState(n.reg, n.disc.State)
	n.run(ctx, "discovery", n.disc.Run, n.disc.Close)
	return nil
}

func (n *Node) startPipes(ctx context.Context, key crypto.PrivKey, changed <-chan struct{}) (err error) {
	n.pipes, err = pipe.New(pipe.Config{
		Overlay: n.cfg.Overlay, Self: n.host.ID(), Key: key,
		Reach: n.reach, Links: n.links, Router: n.disc, Store: n.store,
		Endpoints: n.endpoints, AddrsChanged: changed,
		Log: n.log("pipe"), Tracer: newPipeTracer(n.reg, n.hear),
		Limits: pipe.ServiceLimits{
			Conns: n.cfg.Limits.PipeConnections, Backlog: n.cfg.Limits.Backlog,
			RequestRate: float64(n.cfg.Limits.Requests), RequestBurst: 4 * n.cfg.Limits.Requests,
		},
	})
	if err != nil {
		return err
	}
	n.run(ctx, "pipe", n.pipes.Run, n.pipes.Close)
	return nil
}

// run lets a service go until it is closed, and joins it then. ctx bounds the
// start alone, so the service gets its values without its end.
func (n *Node) run(ctx context.Context, name string, run func(context.Context) error, closeIt func() error) {
	n.onClose(n.service(ctx, name, run, closeIt))
}

// service lets a service go, as run does, and returns what ends and joins it.
func (n *Node) service(ctx context.Context, name string, run func(context.Context) error, closeIt func() error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil && wire.CodeOf(err) != wire.Closed {
			n.log(name).Error("service ended", slog.Any("error", err))
		}
	})
	return func() error {
		err := closeIt()
		cancel()
		running.Wait()
		return err
	}
}

// watchAddrs tells when the node's addresses have changed.
func (n *Node) watchAddrs() (chan struct{}, error) {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("panpipe"))
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "watch addresses: %w", err)
	}
	changed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		for range sub.Out() {
			signal(changed)
		}
	})
	n.onClose(func() error {
		err := sub.Close()
		watching.Wait()
		return err
	})
	return changed, nil
}

// signal tells of a change, unless the one before has not been looked at.
func signal(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// relayCandidates names servers for AutoRelay, those first that are known to
// relay; those known not to are left out. AutoRelay connects to each and checks.
func relayCandidates(h host.Host, d *discovery.Discovery, count int) []peer.AddrInfo {
	found := d.Closer(keyOf(h.ID()), 4*count, h.ID())
	const relays, perhaps, not = 0, 1, 2
	kind := func(p peer.AddrInfo) int {
		switch {
		case reach.Speaks(h, p.ID, relayProtocol):
			return relays
		case reach.Speaks(h, p.ID, identify.ID): // so its protocols are known
			return not
		}
		return perhaps
	}
	found = slices.DeleteFunc(found, func(p peer.AddrInfo) bool { return kind(p) == not })
	slices.SortStableFunc(found, func(a, b peer.AddrInfo) int { return kind(a) - kind(b) })
	return found[:min(count, len(found))]
}

func parseJoin(cfg Config) ([]peer.AddrInfo, error) {
	var join []peer.AddrInfo
	for _, s := range cfg.Join {
		peers, err := discovery.ParseJoin(s, cfg.Overlay)
		if err != nil {
			return nil, err
		}
		join = append(join, peers...)
	}
	return join, nil
}

func (n *Node) log(name string) *slog.Logger { return subsystem(n.cfg.Log, name, n.cfg.LogLevels) }

func (n *Node) onClose(f func() error) { n.closers = append(n.closers, f) }

// Close withdraws what the node has bound, ends everything, and returns when
// it has ended. It may be called more than once; every call waits.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		for _, f := range slices.Backward(n.closers) {
			n.closeErr = errors.Join(n.closeErr, f())
		}
	})
	return n.closeErr
}
