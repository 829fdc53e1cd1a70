package control

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fakeGateway keeps rules and carries nothing. It begins with a rule "full" of
// which everything is told.
type fakeGateway struct {
	mu      sync.Mutex
	rules   []gateway.Status
	drained []bool
	awaited int
}

func newFakeGateway(id peer.ID) *fakeGateway {
	who := identity.PeerPrincipal(id)
	return &fakeGateway{rules: []gateway.Status{{
		Rule: gateway.Rule{
			ID: "full", Kind: gateway.Forward, Listen: "unix:/run/x.sock", Pipe: "web", Target: "t", Allow: []string{gateway.Anyone}, ProxyProtocol: "v2",
			Exclusive: true, Transport: "tcp", Capability: []byte{1}, Spread: true, MaxChannels: 1, MaxPerClient: 2,
		},
		State: gateway.Failed, Err: wire.Errorf(wire.Taken, "in use").WithNext("stop it"), Since: time.Now(), Pipe: pipe.IDOf([]byte("web")), Addr: "unix:/run/x.sock", Holders: 3,
		Binders: []pipe.KeptBinder{{Principal: who, Peer: id, Transport: "tcp", Direct: true, RTT: time.Millisecond, Channels: 1}, {Principal: who}},
		Unbound: wire.Errorf(wire.Unbound, "nobody"), Channels: 1, Opened: 7, Refused: map[wire.Code]uint64{wire.Refused: 2, wire.Busy: 1}, In: 10, Out: 20,
	}}}
}

func (g *fakeGateway) find(ref string) int {
	return slices.IndexFunc(g.rules, func(s gateway.Status) bool { return s.Rule.ID == ref || s.Rule.Listen == ref })
}

func (g *fakeGateway) Add(_ context.Context, r gateway.Rule) (gateway.Status, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.ID == "" {
		r.ID = "new"
	}
	s := gateway.Status{Rule: r, State: gateway.Up, Since: time.Now()}
	if i := g.find(r.ID); i >= 0 {
		g.rules[i] = s
	} else {
		g.rules = append(g.rules, s)
	}
	return s, nil
}

func (g *fakeGateway) Apply(_ context.Context, rules []gateway.Rule) (gateway.Changes, error) {
	c := gateway.Changes{Failed: map[string]error{}}
	for _, r := range rules {
		c.Added = append(c.Added, r.ID)
		if r.ID == "bad" {
			c.Failed[r.ID] = wire.Errorf(wire.Taken, "in use")
		}
	}
	return c, nil
}

func (g *fakeGateway) Remove(_ context.Context, ref string, drain bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.find(ref)
	if i < 0 {
		return wire.Errorf(wire.Unknown, "no rule %q", ref)
	}
	g.rules = slices.Delete(g.rules, i, i+1)
	g.drained = append(g.drained, drain)
	return nil
}

func (g *fakeGateway) Await(_ context.Context, ref string) (gateway.Status, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.awaited++
	return g.rules[g.find(ref)], nil
}

func (g *fakeGateway) Check(context.Context, string) error {
	return wire.Errorf(wire.Refused, "it is off").WithNext("start it")
}

func (g *fakeGateway) Rules() []gateway.Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.rules)
}

func (g *fakeGateway) Channels(ref string) ([]gateway.Channel, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.find(ref)
	if i < 0 {
		return nil, wire.Errorf(wire.Unknown, "no rule %q", ref)
	}
	who := g.rules[i].Binders[0]
	return []gateway.Channel{{
		ID: "aa", Client: "127.0.0.1:5", Peer: who.Peer, Principal: who.Principal, Opened: time.Now(), In: 1, Out: 2, Transport: "tcp", Waiting: time.Now(),
	}}, nil
}

func TestARuleIsAddedChangedOrKept(t *testing.T) {
	var g *fakeGateway
	_, _, c := serve(t, func(cfg *Config) {
		g = newFakeGateway(cfg.Node.ID())
		cfg.Gateway = g
	})
	for i, x := range []struct {
		rule api.GatewayRule
		want string
	}{
		{api.GatewayRule{Kind: "socks", Listen: "127.0.0.1:1"}, api.GatewayAdded},
		{api.GatewayRule{ID: "new", Kind: "socks", Listen: "127.0.0.1:1"}, api.GatewayKept},
		{api.GatewayRule{ID: "new", Kind: "socks", Listen: "127.0.0.1:2"}, api.GatewayChanged},
	} {
		if got, err := c.PutGatewayRule(t.Context(), x.rule, api.GatewayPutQuery{Wait: api.Duration(i) * api.Duration(time.Second)}); err != nil || got.Change != x.want || got.Status.Rule.Listen != x.rule.Listen {
			t.Errorf("%+v: %+v, %v", x.rule, got, err)
		}
	}
	if _, err := c.PutGatewayRule(t.Context(), api.GatewayRule{Transport: "pigeon"}, api.GatewayPutQuery{}); !errors.Is(err, wire.BadRequest) {
		t.Errorf("error %v", err)
	}
	got, err := c.PutGatewayRule(t.Context(), api.GatewayRule{ID: "e", Kind: "expose"}, api.GatewayPutQuery{Wait: api.Duration(time.Second)})
	if err != nil || got.Service == nil || got.Service.Code != "refused" || got.Service.Next != "start it" {
		t.Errorf("a service that is off: %+v, %v", got, err)
	}
	if g.awaited != 3 {
		t.Errorf("waited %d times for what was asked to be waited for three times", g.awaited)
	}
}

func TestRulesAreToldWhole(t *testing.T) {
	_, _, c := serve(t)
	rules, err := c.GatewayRules(t.Context())
	if err != nil || len(rules) != 1 {
		t.Fatalf("%+v, %v", rules, err)
	}
	s := rules[0]
	if s.Problem.Code != "taken" || s.Problem.Next != "stop it" || s.Unbound.Code != "unbound" || s.Pipe == "" || s.Refused[0] != (api.GatewayRefusals{Code: "busy", Count: 1}) ||
		s.Received != 10 || s.Sent != 20 || s.Binders[0].Path != "direct" || s.Binders[1].Path != "" || s.Rule.Capability == "" {
		t.Errorf("%+v", s)
	}
	st, err := c.Status(t.Context())
	if err != nil || len(st.Gateway) != 1 || st.Gateway[0].Rule.ID != "full" {
		t.Errorf("status %+v, %v", st.Gateway, err)
	}
}

func TestARuleIsNamedByItsSocketToo(t *testing.T) {
	g := new(fakeGateway)
	_, _, c := serve(t, func(cfg *Config) {
		g = newFakeGateway(cfg.Node.ID())
		cfg.Gateway = g
	})
	if all, err := c.GatewayChannels(t.Context(), "unix:/run/x.sock"); err != nil || len(all) != 1 || all[0].Received != 1 || all[0].ReconnectingSince == nil {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.RemoveGatewayRule(t.Context(), "unix:/run/x.sock", api.GatewayRemoveQuery{Drain: true}); err != nil {
		t.Error(err)
	}
	if err := c.RemoveGatewayRule(t.Context(), "full", api.GatewayRemoveQuery{}); !errors.Is(err, wire.Unknown) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(g.drained, []bool{true}) {
		t.Errorf("drained %v", g.drained)
	}
	if changes, err := c.ApplyGatewayRules(t.Context(), []api.GatewayRule{{ID: "good", Kind: "socks"}, {ID: "bad", Kind: "socks"}}); err != nil ||
		!slices.Equal(changes.Added, []string{"good", "bad"}) || len(changes.Failed) != 1 || changes.Failed[0].Problem.Code != "taken" {
		t.Errorf("%+v, %v", changes, err)
	}
}

func TestWithoutAGatewayTheRoutesSaySo(t *testing.T) {
	_, _, c := serve(t, func(cfg *Config) { cfg.Gateway = nil })
	if _, err := c.GatewayRules(t.Context()); !errors.Is(err, wire.Unsupported) {
		t.Errorf("error %v", err)
	}
}

// TestOfManyChannelsAFewAreTold: rules always are, and the first event after a
// rush says how many were left out.
func TestOfManyChannelsAFewAreTold(t *testing.T) {
	now := time.Now()
	g := newGatewayTeller(newHub(1))
	g.filled = now
	told := 0
	for range 1000 {
		if _, may := g.take(now); may {
			told++
		}
	}
	if told != channelEventBurst {
		t.Errorf("%d were told at once", told)
	}
	if _, may := g.take(now.Add(time.Second / channelEventRate / 2)); may {
		t.Error("half a token is enough")
	}
	if untold, may := g.take(now.Add(2 * time.Second / channelEventRate)); !may || untold != 1000-channelEventBurst+1 {
		t.Errorf("%d were left out, %v", untold, may)
	}
	if untold, may := g.take(now.Add(time.Hour)); !may || untold != 0 {
		t.Errorf("%d were left out, %v", untold, may)
	}
	for range 100 {
		g.tell(gateway.Event{Kind: gateway.EventRuleUp, Rule: "r"})
	}
	if events, _ := g.hub.after(0); len(events) != 100 || events[0].Gateway.Rule != "r" || events[0].Kind != api.EventGatewayRuleUp {
		t.Errorf("%d events of rules", len(events))
	}
}

// TestEventsOfTheGatewayReachWhoFollows: with their causes, until the server
// ends.
func TestEventsOfTheGatewayReachWhoFollows(t *testing.T) {
	var tell func(gateway.Event)
	stopped := false
	_, s, c := serve(t, func(cfg *Config) {
		cfg.WatchGateway = func(f func(gateway.Event)) func() {
			tell = f
			return func() { stopped = true }
		}
	})
	tell(gateway.Event{Kind: "no such event"})
	tell(gateway.Event{Kind: gateway.EventClosed, Rule: "r", Of: gateway.Socks, Channel: "aa", Err: wire.Errorf(wire.Reset, "it broke"), In: 1, Out: 2, Took: time.Second})
	for e, err := range c.Events(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != api.EventGatewayClosed {
			continue // the gap before
		}
		if g := e.Gateway; e.Problem.Code != "reset" || g.Kind != "socks" || g.Channel != "aa" || g.Received != 1 || g.Sent != 2 || g.TookMS != 1000 {
			t.Errorf("%+v", e)
		}
		break
	}
	if err := s.Close(); err != nil || !stopped {
		t.Errorf("%v, stopped %v", err, stopped)
	}
}
