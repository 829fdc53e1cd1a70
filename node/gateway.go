package node

import (
	"context"
	"sync"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// startGateway takes up the rules that were saved. Listeners are there when it
// returns; what is exposed follows as soon as the node is ready.
func (n *Node) startGateway(ctx context.Context) (err error) {
	tracer, limits := newGatewayTracer(n.reg), gateway.Limits{Channels: n.cfg.Limits.GatewayChannels}
	if each := n.cfg.Limits.GatewayPerClient; each < limits.Channels {
		limits.ChannelsPerClient = each
	}
	n.gateway, err = gateway.New(gateway.Config{
		Pipes: n.pipes, Store: n.store, Ready: n.Ready, Log: n.log("gateway"),
		Limits: limits,
		Trace: func(e gateway.Event) {
			tracer.trace(e)
			if e.Limit != "" {
				n.refusals.count(capName{e.Limit, e.Setting})
			}
			n.gatewayWatches.tell(e)
		},
	})
	if err != nil {
		return err
	}
	n.onClose(n.gateway.Close)
	n.reg.MustRegister(gatewayCollector{n.gateway.Rules})
	return n.gateway.Start(ctx)
}

// WatchGateway has tell called with each event of the gateway, by many
// goroutines at once and at the rate at which channels come and go, until stop
// is called. It must not block.
func (n *Node) WatchGateway(tell func(gateway.Event)) (stop func()) {
	return n.gatewayWatches.add(tell)
}

// knocks is how many services an examination connects to at the same time.
const knocks = 64

// gatewayFacts is how the rules of the gateway stand, and whether what they
// lead to answers now.
func (n *Node) gatewayFacts(ctx context.Context) []doctor.Rule {
	var knocking sync.WaitGroup
	free := make(chan struct{}, knocks)
	rules := n.gateway.Rules()
	all := make([]doctor.Rule, len(rules))
	for i, s := range rules {
		free <- struct{}{}
		knocking.Go(func() {
			defer func() { <-free }()
			all[i] = n.ruleFacts(ctx, s)
		})
	}
	knocking.Wait()
	return all
}

func (n *Node) ruleFacts(ctx context.Context, s gateway.Status) doctor.Rule {
	r := doctor.Rule{ID: s.Rule.ID, Does: does(s.Rule), Expose: s.Rule.Kind == gateway.Expose, Clients: s.Channels}
	if s.State == gateway.Draining {
		return r
	}
	if s.Err != nil {
		r.Down, r.Waits, r.Next = s.Err.Error(), s.State == gateway.Waiting, wire.NextOf(s.Err)
		return r
	}
	if s.State != gateway.Up {
		r.Down, r.Waits = "it was restored, and waits until the node has joined its overlay", true
		return r
	}
	if err := n.gateway.Check(ctx, s.Rule.ID); err != nil {
		r.Mute, r.Next = err.Error(), wire.NextOf(err)
	}
	return r
}

// does tells what a rule does.
func does(r gateway.Rule) string {
	switch r.Kind {
	case gateway.Expose:
		return "expose " + r.Target + " on " + r.Pipe
	case gateway.Forward:
		return "forward " + r.Listen + " to " + r.Pipe
	}
	return string(r.Kind) + " " + r.Listen
}
