package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// surveyTime is how long the nearest nodes have to answer an examination.
const surveyTime = 3 * time.Second

// Examine gathers what the node knows of itself and its machine, asks the
// nearest nodes for a sign of life, and judges it all. It takes a few seconds
// at most; ctx bounds it besides.
func (n *Node) Examine(ctx context.Context) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	survey := n.pipes.Survey(ctx)
	f := n.facts()
	f.Gateway = n.gatewayFacts(ctx)
	f.Survey = doctor.Survey{Asked: survey.Asked, Answered: survey.Answered}
	if survey.Err != nil {
		f.Survey.Cause = survey.Err.Error()
	}
	return doctor.Examine(doctor.Facts{Machine: Machine(n.cfg.StateDir), Node: &f})
}

// Standing tells where the node stands. It costs little.
func (n *Node) Standing() doctor.Standing {
	return doctor.Standing{NAT: n.nat(), MapPorts: n.mapper != nil, Relays: relaysIn(n.host.Addrs()), Circuits: len(n.circuits())}
}

// nat is what is known of the router.
func (n *Node) nat() doctor.NAT { return doctor.NAT(n.NAT()) }

// facts is what the node knows of itself without asking anybody.
func (n *Node) facts() doctor.Node {
	state, table, addrs := n.disc.State(), n.disc.Table(), n.host.Addrs()
	f := doctor.Node{
		Now: time.Now(), Started: n.started, Overlay: n.cfg.Overlay,
		Role: string(state.Role), RoleForced: n.cfg.Role != "", Reachability: string(state.Reachability),
		NAT: n.nat(), MapPorts: !n.cfg.DisablePortMapping, MDNS: state.MDNS,
		NoListen: n.cfg.NoListen, UsesRelays: slices.Contains(n.cfg.Transports, string(reach.Relay)),
		Relays: relaysIn(addrs), Circuits: n.circuits(),
		Refusals:    n.refusals.list(),
		Connections: len(n.host.Network().Conns()), MaxConnections: n.cfg.Limits.Connections,
		Peers: state.Peers, Servers: state.Servers, Alone: state.Alone,
		Table:   doctor.Table{Size: table.Size, Refreshed: table.Refreshed, Period: table.Period},
		Foreign: n.foreign(),
	}
	f.Clock.Ahead, f.Clock.Nodes = n.pipes.ClockAhead()
	if at := n.answered.Load(); at != 0 {
		f.LastServer = time.Unix(0, at)
	}
	for _, a := range addrs {
		f.Addrs = append(f.Addrs, a.String())
	}
	for _, at := range slices.Sorted(maps.Keys(state.JoinErrors)) {
		f.Joins = append(f.Joins, doctor.JoinFailure{Addr: at, Error: state.JoinErrors[at].Error(), Next: wire.NextOf(state.JoinErrors[at])})
	}
	for _, l := range n.pipes.Listeners() {
		s := l.Status()
		f.Bindings = append(f.Bindings, doctor.Bound{Pipe: l.Pipe().String(), Holders: s.Holders, Age: f.Now.Sub(s.Binding.Issued)})
	}
	return f
}

// hear takes in what the pipe service does.
func (n *Node) hear(e pipe.Event) {
	switch {
	case e.Kind == pipe.EventLimited:
		n.refusals.count(pipeCaps[e.Cap])
	case e.Kind == pipe.EventRequest && (e.Code == wire.OK || e.Code == wire.NotClose):
		n.answered.Store(time.Now().UnixNano())
	}
}

// relaysIn names the relays in circuit addresses, each once.
func relaysIn(addrs []ma.Multiaddr) []string {
	var relays []string
	for _, a := range addrs {
		if id := reach.RelayOf(a); id != "" && !slices.Contains(relays, id.String()) {
			relays = append(relays, id.String())
		}
	}
	return relays
}

// circuits are the connections that go over relays.
func (n *Node) circuits() []doctor.Circuit {
	var all []doctor.Circuit
	for _, id := range n.reach.Connected() {
		for _, p := range n.reach.Paths(id) {
			if found := circuitOf(p); found != nil {
				all = append(all, *found)
			}
		}
	}
	slices.SortFunc(all, func(a, b doctor.Circuit) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}

// circuitOf tells of a relayed path, nil for a direct one.
func circuitOf(p reach.Path) *doctor.Circuit {
	if p.Direct() {
		return nil
	}
	found := doctor.Circuit{Peer: p.Peer().String(), Relay: reach.RelayOf(p.Remote()).String()}
	if a, limited := p.Allowance(); limited {
		found.MaxTime, found.LeftTime = a.Duration, a.TimeLeft()
		found.MaxData, found.LeftData = a.Data, a.DataLeft()
	}
	return &found
}

// maxForeign caps how many foreign protocols are told of.
const maxForeign = 8

// foreign finds connected nodes that speak a binding protocol, but not this
// node's.
func (n *Node) foreign() []doctor.Foreign {
	seen := map[protocol.ID]*doctor.Foreign{}
	for _, p := range n.host.Network().Peers() {
		if reach.Speaks(n.host, p, pipe.BindingProtocol(n.cfg.Overlay)) {
			continue
		}
		for _, spoken := range n.bindingProtocols(p) {
			if seen[spoken.id] == nil && len(seen) < maxForeign {
				seen[spoken.id] = &doctor.Foreign{Protocol: string(spoken.id), Overlay: spoken.overlay}
			}
			if f := seen[spoken.id]; f != nil {
				f.Peers++
			}
		}
	}
	var all []doctor.Foreign
	for _, f := range seen {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b doctor.Foreign) int { return cmp.Compare(a.Protocol, b.Protocol) })
	return all
}

// spoken is a binding protocol that a node has told of.
type spoken struct {
	id      protocol.ID
	overlay string
}

// bindingProtocols lists the binding protocols that a node has told of in
// identify: of any overlay, in any version.
func (n *Node) bindingProtocols(p peer.ID) []spoken {
	told, err := n.host.Peerstore().GetProtocols(p)
	if err != nil {
		return nil
	}
	name := strings.Split(string(pipe.BindingProtocol(pipe.DefaultOverlay)), "/")[2]
	var all []spoken
	for _, id := range told {
		parts := strings.Split(string(id), "/") // "", overlay, name, version
		if len(parts) == 4 && parts[2] == name && identity.CheckOverlay(parts[1]) == nil && len(parts[3]) <= 8 {
			all = append(all, spoken{id, parts[1]})
		}
	}
	return all
}
