package control

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// From what a doctor tells to the types of the API.

func apiPeerExplanation(id peer.ID, f doctor.PeerFacts, v doctor.PeerVerdict) api.Explanation {
	who := identity.PeerPrincipal(id).String()
	e := api.Explanation{
		Kind: api.KindPeer, Found: len(f.Addrs) > 0 || len(f.Paths) > 0, Connected: v.Connected, Accepted: v.Connected, Asked: f.Asked,
		TookMS: milliseconds(f.Took), Records: []api.Binding{}, Dials: []api.DialAttempt{},
		Peer: &api.PeerExplanation{
			ID: f.ID, Principal: who, Self: f.Self, Summary: v.Summary, Identified: f.Identified, Agent: f.Agent,
			InOverlay: f.InOverlay, Server: f.Server, Relays: f.Relay, Overlays: some(f.Overlays),
			Direct: v.Direct, Paths: []api.PeerPath{}, Addresses: []api.KnownAddress{}, Here: Findings(v.Here),
		},
	}
	e.State, e.Path = peerState(f, v)
	for _, p := range f.Paths {
		e.Peer.Paths = append(e.Peer.Paths, apiPeerPath(p))
	}
	for _, a := range f.Addrs {
		e.Peer.Addresses = append(e.Peer.Addresses, api.KnownAddress{Address: a.Addr, Kind: string(a.Kind), Sources: some(a.Sources)})
	}
	for _, t := range f.Tries {
		e.Dials = append(e.Dials, api.DialAttempt{
			Binder: who, Endpoint: t.Addr, Transport: t.Transport, Reused: t.Reused, Beaten: t.Beaten, TookMS: milliseconds(t.Took), Error: t.Error,
		})
	}
	if code, ok := wire.ParseCode(v.Problem); ok && code != wire.OK {
		e.Problem = api.ProblemOf(wire.Errorf(code, "%s", v.Detail).WithNext("%s", v.Next))
	} else {
		e.Peer.Next = v.Next
	}
	return e
}

// peerState is the state of a peer in the words for a pipe.
func peerState(f doctor.PeerFacts, v doctor.PeerVerdict) (state, path string) {
	switch {
	case v.Connected && v.Direct:
		return string(pipe.StateConnected), pipe.PathDirect
	case v.Connected:
		return string(pipe.StateConnected), pipe.PathRelay
	case len(f.Addrs) > 0:
		return string(pipe.StateAnnounced), ""
	}
	return string(pipe.StateUnbound), ""
}

func apiPeerPath(p doctor.Path) api.PeerPath {
	return api.PeerPath{
		Address: p.Addr, Transport: p.Transport, Direct: p.Direct, Inbound: p.Inbound,
		AgeMS: milliseconds(p.Age), RTTMS: milliseconds(p.RTT), Error: p.Fault, Circuit: apiCircuit(p.Circuit),
	}
}

func apiCircuit(c *doctor.Circuit) *api.Circuit {
	if c == nil {
		return nil
	}
	a := &api.Circuit{Relay: c.Relay}
	if c.MaxTime > 0 {
		most, left := milliseconds(c.MaxTime), milliseconds(c.LeftTime)
		a.MaxTimeMS, a.LeftTimeMS = &most, &left
	}
	if c.MaxData > 0 {
		a.MaxData = &c.MaxData
		if c.LeftData >= 0 {
			a.LeftData = &c.LeftData
		}
	}
	return a
}

// Findings writes what a doctor has found in the API's type.
func Findings(found []doctor.Finding) []api.Finding {
	all := []api.Finding{}
	for _, f := range found {
		all = append(all, api.Finding{Code: string(f.Code), Severity: string(f.Severity), Summary: f.Summary, Cause: f.Cause, Next: f.Next})
	}
	return all
}

func apiNAT(n doctor.NAT) api.NAT {
	a := api.NAT{Router: n.Router, Mapped: []string{}, Public: []string{}, Double: n.Double}
	for _, m := range n.Mapped {
		a.Mapped = append(a.Mapped, m.String())
	}
	for _, p := range n.Public {
		a.Public = append(a.Public, p.String())
	}
	return a
}
