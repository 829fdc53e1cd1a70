package discovery

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// recall loads the servers of the last run.
func (d *Discovery) recall(ctx context.Context) error {
	if d.cfg.Store == nil {
		return nil
	}
	peers, err := d.cfg.Store.RememberedPeers(ctx)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "remembered peers: %w", err)
	}
	peers = slices.DeleteFunc(peers, func(p peer.AddrInfo) bool { return p.ID == d.self })
	d.memory.load(peers, time.Now())
	return nil
}

// remember stores the servers met.
func (d *Discovery) remember() error {
	if d.cfg.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := d.cfg.Store.RememberPeers(ctx, d.memory.list()); err != nil {
		return wire.Errorf(wire.CodeOf(err), "remember peers: %w", err)
	}
	return nil
}

// save stores the memory some time after it has changed.
func (l *loop) save(ctx context.Context, now time.Time) (again time.Time) {
	if l.d.cfg.Store == nil || !l.d.memory.dirty || l.saving {
		return time.Time{}
	}
	if l.saveAt.IsZero() {
		l.saveAt = now.Add(l.d.cfg.RememberDelay)
	}
	if now.Before(l.saveAt) {
		return l.saveAt
	}
	l.saveAt, l.saving = time.Time{}, true
	l.refresh(now)
	list := l.d.memory.list()
	l.wg.Go(func() {
		// Begun, it is finished: what it stores must not be torn by the end of Run.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		l.saved <- l.d.cfg.Store.RememberPeers(ctx, list)
	})
	return time.Time{}
}

// refresh brings the memory of connected servers up to date.
func (l *loop) refresh(now time.Time) {
	for p := range l.d.servers.places() {
		if l.d.serves(p) {
			l.d.memory.touch(p, l.addrsOf(p), now)
		}
	}
}

// addrsOf returns the addresses by which p can be found again: first those
// that this node has dialled itself. In touch with the outside, it remembers
// private addresses only if it was connected there, since the next run takes
// this list for proof.
func (l *loop) addrsOf(p peer.ID) []ma.Multiaddr {
	var worked []ma.Multiaddr
	for _, c := range l.d.cfg.Host.Network().ConnsToPeer(p) {
		if c.Stat().Direction == network.DirOutbound && !relayed(c) {
			worked = append(worked, c.RemoteMultiaddr())
		}
	}
	told := bestAddrs(l.d.cfg.Host.Peerstore().Addrs(p))
	if _, outside := l.sights.count(time.Now()); outside || len(l.own) > 0 {
		told = slices.DeleteFunc(told, func(a ma.Multiaddr) bool { return !manet.IsPublicAddr(a) })
	}
	return slices.Concat(worked, told)
}
