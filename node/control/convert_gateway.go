package control

import (
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Between the values of the gateway and the types of the API.

func gatewayRule(q api.GatewayRule) (gateway.Rule, error) {
	var p reading
	r := gateway.Rule{
		ID: q.ID, Kind: gateway.Kind(q.Kind), Target: q.Target, Listen: q.Listen, Pipe: q.Pipe, Allow: q.Allow,
		ProxyProtocol: q.ProxyProtocol, Exclusive: q.Exclusive,
		Transport:  word(&p, q.Transport, reach.ParseTransport),
		Capability: word(&p, q.Capability, parseCapability),
		Spread:     q.Spread, MaxChannels: q.MaxChannels, MaxPerClient: q.MaxPerClient,
	}
	return r, p.err
}

func apiGatewayRule(r gateway.Rule) api.GatewayRule {
	a := api.GatewayRule{
		ID: r.ID, Kind: string(r.Kind), Target: r.Target, Listen: r.Listen, Pipe: r.Pipe, Allow: r.Allow,
		ProxyProtocol: r.ProxyProtocol, Exclusive: r.Exclusive, Transport: string(r.Transport), Spread: r.Spread,
		MaxChannels: r.MaxChannels, MaxPerClient: r.MaxPerClient,
	}
	if len(r.Capability) > 0 {
		a.Capability = identity.FormatCapability(r.Capability)
	}
	return a
}

func apiGatewayRules(all []gateway.Status) []api.GatewayStatus {
	list := []api.GatewayStatus{}
	for _, s := range all {
		list = append(list, apiGatewayStatus(s))
	}
	return list
}

func apiGatewayStatus(s gateway.Status) api.GatewayStatus {
	a := api.GatewayStatus{
		Rule: apiGatewayRule(s.Rule), State: string(s.State), Since: s.Since, Problem: api.ProblemOf(s.Err), Addr: s.Addr,
		Holders: s.Holders, Unbound: api.ProblemOf(s.Unbound), Channels: s.Channels, Opened: s.Opened,
		Refused: []api.GatewayRefusals{}, Received: s.In, Sent: s.Out,
	}
	if s.State == gateway.Waiting && s.Err == nil {
		a.Problem = api.ProblemOf(wire.Errorf(wire.NotReady, "it was restored, and waits until the node has joined its overlay").
			WithNext("see panpipe status for why it has not"))
	}
	if !s.Pipe.IsZero() {
		a.Pipe = s.Pipe.String()
	}
	for _, b := range s.Binders {
		x := api.GatewayBinder{Principal: b.Principal.String(), Transport: string(b.Transport), RTTMS: milliseconds(b.RTT), Channels: b.Channels}
		if b.Transport != "" {
			x.Path = pathWord(b.Direct)
		}
		a.Binders = append(a.Binders, x)
	}
	for code, n := range s.Refused {
		a.Refused = append(a.Refused, api.GatewayRefusals{Code: code.String(), Count: n})
	}
	slices.SortFunc(a.Refused, func(x, y api.GatewayRefusals) int { return strings.Compare(x.Code, y.Code) })
	return a
}

func apiGatewayChanges(c gateway.Changes) api.GatewayChanges {
	a := api.GatewayChanges{
		Added: some(c.Added), Changed: some(c.Changed), Kept: some(c.Kept), Removed: some(c.Removed), Failed: []api.GatewayFailure{},
	}
	for id, err := range c.Failed {
		a.Failed = append(a.Failed, api.GatewayFailure{Rule: id, Problem: *api.ProblemOf(err)})
	}
	slices.SortFunc(a.Failed, func(x, y api.GatewayFailure) int { return strings.Compare(x.Rule, y.Rule) })
	return a
}

func apiGatewayChannel(c gateway.Channel) api.GatewayChannel {
	return api.GatewayChannel{
		ID: c.ID, Client: c.Client, Principal: c.Principal.String(), Transport: string(c.Transport),
		ReconnectingSince: orNil(c.Waiting), Opened: c.Opened, Received: c.In, Sent: c.Out,
	}
}

// gatewayEvents are the kinds of the gateway's events in the API.
var gatewayEvents = map[gateway.EventKind]string{
	gateway.EventRuleUp:        api.EventGatewayRuleUp,
	gateway.EventRuleDown:      api.EventGatewayRuleDown,
	gateway.EventRuleChanged:   api.EventGatewayChanged,
	gateway.EventRuleRemoved:   api.EventGatewayRemoved,
	gateway.EventOpened:        api.EventGatewayOpened,
	gateway.EventClosed:        api.EventGatewayClosed,
	gateway.EventRefused:       api.EventGatewayRefused,
	gateway.EventAcceptBlocked: api.EventGatewayBlocked,
}

func apiGatewayEvent(e gateway.Event) api.Event {
	return api.Event{
		Kind: gatewayEvents[e.Kind], Problem: api.ProblemOf(e.Err),
		Gateway: &api.GatewayEvent{
			Rule: e.Rule, Kind: string(e.Of), Channel: e.Channel, Received: e.In, Sent: e.Out, TookMS: milliseconds(e.Took),
		},
	}
}
