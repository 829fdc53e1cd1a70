package control

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handlers of the routes of the gateway.

// withGateway is a handler that needs a gateway.
func withGateway[Q, B, A any](s *Server, fn func(g Gateway, r *http.Request, q Q, b B) (A, error)) endpoint {
	return call(func(r *http.Request, q Q, b B) (a A, err error) {
		if s.cfg.Gateway == nil {
			return a, wire.Errorf(wire.Unsupported, "this node has no gateway")
		}
		return fn(s.cfg.Gateway, r, q, b)
	})
}

func (s *Server) gatewayRules(g Gateway, _ *http.Request, _, _ none) (api.GatewayRuleList, error) {
	return api.GatewayRuleList{Rules: apiGatewayRules(g.Rules())}, nil
}

// putGatewayRule adds a rule or changes one. Which of the two it was shows in
// the rules as they were before.
func (s *Server) putGatewayRule(g Gateway, r *http.Request, o api.GatewayPutQuery, q api.GatewayRule) (api.GatewayChange, error) {
	rule, err := gatewayRule(q)
	if err != nil {
		return api.GatewayChange{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	if rule.Kind == gateway.Expose {
		_ = s.readiness(ctx, grace) // otherwise it would have to be tried again
	}
	before := g.Rules()
	st, err := g.Add(ctx, rule)
	if err != nil {
		return api.GatewayChange{}, err
	}
	change := api.GatewayAdded
	if i := slices.IndexFunc(before, func(b gateway.Status) bool { return b.Rule.ID == st.Rule.ID }); i >= 0 {
		change = api.GatewayChanged
		if reflect.DeepEqual(before[i].Rule, st.Rule) {
			change = api.GatewayKept
		}
	}
	told := api.GatewayChange{Change: change, Status: apiGatewayStatus(st)}
	if o.Wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), min(time.Duration(o.Wait), opTimeout))
		defer cancel()
		err = await(ctx, g, &told)
	}
	return told, err
}

// await waits until it is known what a rule leads to, and tells of it.
func await(ctx context.Context, g Gateway, c *api.GatewayChange) error {
	st, err := g.Await(ctx, c.Status.Rule.ID)
	if err != nil {
		return err
	}
	c.Status = apiGatewayStatus(st)
	if st.Rule.Kind == gateway.Expose && st.State == gateway.Up {
		c.Service = api.ProblemOf(g.Check(ctx, st.Rule.ID))
	}
	return nil
}

func (s *Server) applyGatewayRules(g Gateway, r *http.Request, _ none, q api.GatewayRuleSet) (api.GatewayChanges, error) {
	rules := make([]gateway.Rule, len(q.Rules))
	for i, x := range q.Rules {
		var err error
		if rules[i], err = gatewayRule(x); err != nil {
			return api.GatewayChanges{}, wire.Errorf(wire.CodeOf(err), "rule %d: %w", i+1, err)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	_ = s.readiness(ctx, grace) // as above
	c, err := g.Apply(ctx, rules)
	if err != nil {
		return api.GatewayChanges{}, err
	}
	return apiGatewayChanges(c), nil
}

func (s *Server) removeGatewayRule(g Gateway, r *http.Request, q api.GatewayRemoveQuery, _ none) (none, error) {
	return none{}, g.Remove(r.Context(), r.PathValue("rule"), q.Drain)
}

func (s *Server) gatewayChannels(g Gateway, r *http.Request, _, _ none) (api.GatewayChannelList, error) {
	ref := r.PathValue("rule")
	open, err := g.Channels(ref)
	if err != nil {
		return api.GatewayChannelList{}, err
	}
	list := api.GatewayChannelList{Rule: ref, Channels: []api.GatewayChannel{}}
	for _, c := range open {
		list.Channels = append(list.Channels, apiGatewayChannel(c))
	}
	return list, nil
}
