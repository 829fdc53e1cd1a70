package node

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	locateTime   = 5 * time.Second // to ask the overlay for a peer's addresses
	identifyTime = 2 * time.Second // for a new peer to tell what it speaks
	pingTime     = 3 * time.Second // for two pings on a path

	maxExplainedPaths = 8
	maxExplainedAddrs = 32
)

// ExplainPeer gathers what the node knows of another, tries to reach it as a
// dial of a pipe would, and judges. Only transport is dialled, unless it is
// reach.Any; directOnly leaves relays out. It takes up to half a minute; ctx
// bounds it besides.
func (n *Node) ExplainPeer(ctx context.Context, id peer.ID, transport reach.Transport, directOnly bool) (doctor.PeerFacts, doctor.PeerVerdict) {
	started := time.Now()
	f := doctor.PeerFacts{ID: id.String(), Self: id == n.host.ID()}
	if f.Self {
		for _, a := range n.host.Addrs() {
			f.Addrs = append(f.Addrs, doctor.KnownAddr{Addr: a.String(), Kind: kindOf(a), Sources: []string{"own"}})
		}
		f.Identified, f.Agent, f.InOverlay = true, userAgent, true
	} else {
		n.tryPeer(ctx, &f, id, reach.Want{Peer: id, Transport: transport, AllowRelay: !directOnly, Explicit: true})
	}
	f.Here = n.facts()
	f.Server = f.Server || f.Self && f.Here.Role == string(discovery.RoleServer)
	f.Relay = f.Relay || f.Self && n.cfg.Relay.Serve
	f.Took = time.Since(started)
	return f, doctor.ExplainPeer(f)
}

// tryPeer finds out where the peer is and tries to reach it.
func (n *Node) tryPeer(ctx context.Context, f *doctor.PeerFacts, id peer.ID, w reach.Want) {
	punched := n.reach.Punching(id)
	before := n.live(ctx, id)
	known := n.sources(ctx, id, before)
	if len(before) == 0 {
		locating, cancel := context.WithTimeout(ctx, locateTime)
		found := n.pipes.Locate(locating, id)
		cancel()
		known.add("overlay", found.Peer.Addrs...)
		f.Asked = found.Asked
	}
	f.Addrs = known.list()
	w.Addrs, w.Only = known.addrs, true // reach tells each address apart, the swarm does not
	given, attempts, err := n.reach.Path(ctx, w)
	f.Tries = triesOf(attempts)
	if err == nil && w.AllowRelay && w.Transport == reach.Any && len(before) > 0 && !before[0].Direct() {
		w.AllowRelay = false // the relayed path was given; is there a better one?
		_, more, _ := n.reach.Path(ctx, w)
		f.Tries = append(f.Tries, triesOf(more)...)
	}
	if err != nil {
		f.Failure, f.Advice = wire.CodeOf(err).String(), wire.NextOf(err)
		f.Words, _, _ = strings.Cut(err.Error(), "\n") // the tries are told one by one
	}
	n.describe(ctx, f, id)
	f.Punching = n.punching(id, f.Addrs, punched)
	n.leave(given)
}

// leave closes the relayed path that an explanation has made, if nobody uses
// it: no holes are punched for one that reach has dialled itself, and the next
// dial would be given it.
func (n *Node) leave(p reach.Path) {
	if !p.IsZero() && !p.Direct() && n.reach.Adopted(p.Conn()) && len(p.Conn().GetStreams()) == 0 {
		_ = p.Close()
	}
}

// live are the paths to a peer that are left when the dead ones have been
// found out, and closed.
func (n *Node) live(ctx context.Context, id peer.ID) []reach.Path {
	var judged []<-chan struct{}
	for _, p := range n.reach.Paths(id) {
		judged = append(judged, n.reach.Doubt(p))
	}
	for _, done := range judged {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	return n.reach.Paths(id)
}

// describe adds what the peer has told of itself, and the paths to it.
func (n *Node) describe(ctx context.Context, f *doctor.PeerFacts, id peer.ID) {
	paths := n.reach.Paths(id)
	if len(paths) > 0 {
		n.awaitIdentify(ctx, paths[0].Conn())
	}
	f.Paths = n.pathFacts(ctx, paths[:min(len(paths), maxExplainedPaths)])
	ps := n.host.Peerstore()
	if told, err := ps.GetProtocols(id); err == nil && len(told) > 0 {
		f.Identified = true
	}
	if agent, err := ps.Get(id, "AgentVersion"); err == nil {
		text, _ := agent.(string)
		f.Agent = doctor.Plain(text)
	}
	f.Server = reach.Speaks(n.host, id, discovery.KadProtocol(n.cfg.Overlay))
	// One that leaves withdraws its own protocols before it goes.
	f.InOverlay = f.Server || reach.Speaks(n.host, id, pipe.BindingProtocol(n.cfg.Overlay))
	f.Relay = reach.Speaks(n.host, id, relayProtocol)
	for _, s := range n.bindingProtocols(id) {
		if s.overlay != n.cfg.Overlay && len(f.Overlays) < maxForeign {
			f.Overlays = append(f.Overlays, s.overlay)
		}
	}
}

// punching is the state of hole punching where it could help. An explanation
// dials each address for its own cause and punches no holes, but its relayed
// connection, which reach has dialled, makes go-libp2p try in vain: how the last
// punch failed is therefore what was known before.
func (n *Node) punching(id peer.ID, known []doctor.KnownAddr, before reach.Punching) *doctor.Punching {
	paths := n.reach.Paths(id)
	relay := len(paths) > 0 || slices.ContainsFunc(known, func(a doctor.KnownAddr) bool { return a.Kind == doctor.AddrRelay })
	if !relay || len(paths) > 0 && paths[0].Direct() {
		return nil
	}
	now := n.reach.Punching(id)
	why, _, _ := strings.Cut(before.Failed, "\n")
	return &doctor.Punching{Here: now.Here, There: now.There, Failed: doctor.Plain(why), Ago: before.Ago}
}

// awaitIdentify gives a new peer the time to tell what it speaks.
func (n *Node) awaitIdentify(ctx context.Context, c network.Conn) {
	h, ok := n.host.(interface{ IDService() identify.IDService })
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTime)
	defer cancel()
	select {
	case <-h.IDService().IdentifyWait(c):
	case <-ctx.Done():
	}
}

// inbound reports that the far side has dialled p.
func (n *Node) inbound(p reach.Path) bool {
	return p.Conn().Stat().Direction == network.DirInbound && !n.reach.Adopted(p.Conn())
}

// pathFacts pings each path, all at the same time.
func (n *Node) pathFacts(ctx context.Context, paths []reach.Path) []doctor.Path {
	all := make([]doctor.Path, len(paths))
	var pings sync.WaitGroup
	for i, p := range paths {
		all[i] = doctor.Path{
			Addr: p.Remote().String(), Transport: string(p.Transport()), Direct: p.Direct(),
			Inbound: n.inbound(p), Age: time.Since(p.Conn().Stat().Opened), Circuit: circuitOf(p),
		}
		pings.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, pingTime)
			defer cancel()
			rtt, err := p.Ping(ctx, 2)
			if all[i].RTT = rtt; err != nil {
				all[i].Fault = err.Error()
			}
			if wire.CodeOf(err) == wire.Timeout {
				n.reach.Doubt(p)
			}
		})
	}
	pings.Wait()
	return all
}

func triesOf(attempts []reach.Attempt) []doctor.Try {
	var all []doctor.Try
	for _, a := range attempts {
		t := doctor.Try{Transport: string(a.Transport), Reused: a.Reused, Beaten: a.Beaten(), Took: a.Took, Code: wire.CodeOf(a.Err).String()}
		if a.Addr != nil {
			t.Addr = a.Addr.String()
		}
		if a.Err != nil && !t.Beaten {
			t.Error = a.Err.Error()
		}
		all = append(all, t)
	}
	return all
}

// sources collects addresses of a peer and where each is from.
type sources struct {
	id    peer.ID
	addrs []ma.Multiaddr
	from  map[string][]string // by text of the address
}

// sources is what this node knows without asking anybody.
func (n *Node) sources(ctx context.Context, id peer.ID, paths []reach.Path) *sources {
	s := &sources{id: id, from: map[string][]string{}}
	for _, p := range paths {
		if !n.inbound(p) { // else its port is none that listens
			s.add("connection", p.Remote())
		}
	}
	for _, in := range n.join {
		if in.ID == id {
			s.add("join", in.Addrs...)
		}
	}
	if remembered, err := n.store.RememberedPeers(ctx); err == nil {
		for _, in := range remembered {
			if in.ID == id {
				s.add("remembered", in.Addrs...)
			}
		}
	}
	s.add("peerstore", n.host.Peerstore().Addrs(id)...)
	return s
}

func (s *sources) add(from string, addrs ...ma.Multiaddr) {
	for _, a := range addrs {
		if bare, last := peer.SplitAddr(a); last == s.id {
			a = bare
		}
		text := a.String()
		if _, known := s.from[text]; !known {
			if len(s.addrs) == maxExplainedAddrs {
				return
			}
			s.addrs = append(s.addrs, a)
		}
		if !slices.Contains(s.from[text], from) {
			s.from[text] = append(s.from[text], from)
		}
	}
}

// list puts what leads farthest first.
func (s *sources) list() []doctor.KnownAddr {
	var all []doctor.KnownAddr
	for _, a := range s.addrs {
		all = append(all, doctor.KnownAddr{Addr: a.String(), Kind: kindOf(a), Sources: s.from[a.String()]})
	}
	order := []doctor.AddrKind{doctor.AddrPublic, doctor.AddrName, doctor.AddrPrivate, doctor.AddrLoopback, doctor.AddrRelay}
	slices.SortStableFunc(all, func(a, b doctor.KnownAddr) int {
		return cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind))
	})
	return all
}

// kindOf says from where an address can be dialled.
func kindOf(a ma.Multiaddr) doctor.AddrKind {
	switch {
	case reach.TransportOf(a) == reach.Relay:
		return doctor.AddrRelay
	case manet.IsIPLoopback(a):
		return doctor.AddrLoopback
	case len(a) > 0 && slices.Contains([]int{ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR}, a[0].Protocol().Code):
		return doctor.AddrName
	case manet.IsPublicAddr(a):
		return doctor.AddrPublic
	}
	return doctor.AddrPrivate
}
