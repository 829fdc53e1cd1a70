package control

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handlers of the routes that only tell about the node.

func (s *Server) status(r *http.Request, _, _ none) (api.Status, error) {
	st := s.fullStatus(r.Context())
	st.Connections = s.conns.live("")
	return st, nil
}

// fullStatus is how the node is doing, as far as this server can tell.
func (s *Server) fullStatus(ctx context.Context) api.Status {
	event := s.hub.last() // before the rest, so that nothing is missed after it
	d := s.cfg.Discovery.State()
	notReady := s.readiness(ctx, glance)
	st := api.Status{
		Profile: s.cfg.Profile, Version: s.cfg.Version, Overlay: s.cfg.Node.Overlay(), Peer: s.cfg.Node.ID().String(),
		Started: s.started, Ready: notReady == nil, NotReady: api.ProblemOf(notReady),
		Role: string(d.Role), Reachability: string(d.Reachability), Addresses: []string{},
		Peers: d.Peers, Servers: d.Servers, JoinErrors: []api.JoinError{}, MDNS: d.MDNS, Relay: s.cfg.Relay, Relays: []string{}, NAT: apiNAT(doctor.NAT{}),
		Event: event, Pipes: len(s.cfg.Pipes.Listeners()), Gateway: []api.GatewayStatus{},
	}
	if s.cfg.Gateway != nil {
		st.Gateway = apiGatewayRules(s.cfg.Gateway.Rules())
	}
	s.withStanding(&st)
	for _, a := range s.cfg.Node.Addrs() {
		st.Addresses = append(st.Addresses, a.String())
	}
	for _, address := range slices.Sorted(maps.Keys(d.JoinErrors)) {
		st.JoinErrors = append(st.JoinErrors, api.JoinError{Address: address, Error: d.JoinErrors[address].Error()})
	}
	return st
}

// withStanding adds where the node stands in the network.
func (s *Server) withStanding(st *api.Status) {
	if s.cfg.Doctor != nil {
		at := s.cfg.Doctor.Standing()
		st.NAT, st.Relays, st.Circuits = apiNAT(at.NAT), some(at.Relays), at.Circuits
		st.NAT.Asked = at.MapPorts
	}
}

// glance is long enough to see that a ready node is ready, grace for one that
// has just been started to become so.
const (
	glance = 20 * time.Millisecond
	grace  = 3 * time.Second
)

// readiness waits for the node to be ready, at most for the time given, and
// returns wire.NotReady with the cause if it is not.
func (s *Server) readiness(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.cfg.Node.Ready(ctx)
}

func (s *Server) peers(*http.Request, none, none) (api.PeerList, error) {
	list := api.PeerList{Peers: []api.Peer{}}
	if s.cfg.Paths == nil {
		return list, nil
	}
	for _, id := range s.cfg.Paths.Connected() {
		list.Peers = append(list.Peers, s.peer(id, s.cfg.Paths.Paths(id)))
	}
	slices.SortFunc(list.Peers, func(a, b api.Peer) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// disconnect closes all paths to a peer.
func (s *Server) disconnect(r *http.Request, _, _ none) (none, error) {
	id, err := parsePeer(r.PathValue("peer"))
	if err != nil {
		return none{}, err
	}
	var paths []reach.Path
	if s.cfg.Paths != nil {
		paths = s.cfg.Paths.Paths(id)
	}
	if len(paths) == 0 {
		return none{}, wire.Errorf(wire.Unknown, "%s is not connected", id).WithNext("panpipe peers lists who is")
	}
	for _, p := range paths {
		_ = p.Close() // it is lost either way
	}
	return none{}, nil
}

func (s *Server) relisten(_ *http.Request, _ none, l api.Listening) (api.Listening, error) {
	had, err := s.cfg.Node.Relisten(l.Addresses)
	if err != nil {
		return api.Listening{}, err
	}
	now := api.Listening{Addresses: []string{}}
	for _, a := range had {
		now.Addresses = append(now.Addresses, a.String())
	}
	slices.Sort(now.Addresses)
	return now, nil
}

// peer tells about one connected node.
func (s *Server) peer(id peer.ID, paths []reach.Path) api.Peer {
	p := api.Peer{ID: id.String(), Addrs: []string{}, Transports: []string{}}
	for _, path := range paths {
		p.Addrs = append(p.Addrs, path.Remote().String())
		p.Transports = append(p.Transports, string(path.Transport()))
		p.Direct = p.Direct || path.Direct()
	}
	if h := s.cfg.Host; h != nil {
		p.Server = reach.Speaks(h, id, discovery.KadProtocol(s.cfg.Node.Overlay()))
		p.LatencyMS = milliseconds(h.Peerstore().LatencyEWMA(id))
		if agent, err := h.Peerstore().Get(id, "AgentVersion"); err == nil {
			text, _ := agent.(string)
			p.Agent = doctor.Plain(text)
		}
	}
	return p
}

func (s *Server) limits(*http.Request, none, none) (api.LimitList, error) {
	return api.LimitList{Limits: some(s.cfg.Limits())}, nil
}

func (s *Server) config(*http.Request, none, none) (api.SettingList, error) {
	return api.SettingList{Settings: some(s.cfg.Settings)}, nil
}

func (s *Server) version(*http.Request, none, none) (api.Version, error) {
	v := BuildInfo()
	v.Version = s.cfg.Version
	return v, nil
}

func (s *Server) id(*http.Request, none, none) (api.Identity, error) {
	n := s.cfg.Node
	who := api.Identity{Peer: n.ID().String(), Principal: n.Principal().String(), Addresses: []string{}}
	for _, a := range n.Addrs() {
		who.Addresses = append(who.Addresses, a.String()+"/p2p/"+who.Peer)
	}
	return who, nil
}

func (s *Server) ticket(*http.Request, none, none) (api.Ticket, error) {
	t := s.cfg.Node.Ticket()
	if len(t.Peers) == 0 {
		return api.Ticket{}, wire.Errorf(wire.NotReady, "no ticket: this node has no address that others could dial, and knows no other server").
			WithNext("let it listen (setting listen), or take the ticket of another node; panpipe doctor tells more")
	}
	answer := api.Ticket{Ticket: t.String(), Overlay: t.Overlay, Addresses: []string{}}
	for _, p := range t.Peers {
		for _, a := range p.Addrs {
			answer.Addresses = append(answer.Addresses, a.String()+"/p2p/"+p.ID.String())
		}
	}
	return answer, nil
}

// some is a list that is written as [] when it is empty.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
