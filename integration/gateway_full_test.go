//go:build full

package integration

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// TestForeignProgramsGoThroughTheGateway has programs that know nothing of
// Panpipe work with their daemons through two nodes in network namespaces: in
// peace, and while what carries their connections is cut and comes back over
// another transport. They must not notice.
func TestForeignProgramsGoThroughTheGateway(t *testing.T) {
	for _, f := range foreigners() {
		t.Run(f.name, func(t *testing.T) {
			p := newStretch(t, nil)
			s := &stage{t: t, serverAt: p.binderAt, clientAt: p.dialerAt, dir: t.TempDir()}
			rule, addr := p.publish(f.serve(s))
			over := make(chan struct{})
			close(over)
			if err := f.use(s, addr, over); err != nil {
				t.Fatalf("in peace: %v", err)
			}
			over = make(chan struct{})
			used := make(chan error, 1)
			go func() { used <- f.use(s, addr, over) }()
			p.cutTrunk(rule)
			close(over)
			if err := <-used; err != nil {
				t.Errorf("while the trunk was cut: %v", err)
			}
		})
	}
}

// publish exposes a service at the binder and forwards to it at the dialer, as
// a person does. It returns the ID of the dialer's rule, and where that listens.
func (p *stretch) publish(target string) (rule, addr string) {
	p.t.Helper()
	var exposed, forwarded api.GatewayStatus
	told := p.binder.run("gateway", "expose", target, "--allow", "peer:"+p.dialer.id(), "--json")
	if err := json.Unmarshal([]byte(told), &exposed); err != nil {
		p.t.Fatalf("%v in %q", err, told)
	}
	told = p.dialer.run("gateway", "forward", "127.0.0.1:0", exposed.Pipe, "--json")
	if err := json.Unmarshal([]byte(told), &forwarded); err != nil {
		p.t.Fatalf("%v in %q", err, told)
	}
	return forwarded.Rule.ID, forwarded.Addr
}

// cutTrunk closes what carries a rule's channels, takes UDP away, so that they go
// on over TCP, and then gives it back and resets all of TCP.
func (p *stretch) cutTrunk(rule string) {
	p.t.Helper()
	p.moves(rule) // it has begun
	p.dialer.run("peers", "disconnect", p.binder.id())
	p.moves(rule)
	allow := p.without("udp", "reject")
	p.moves(rule, "tcp", "ws")
	allow()
	p.without("tcp", "reject with tcp reset")
	p.moves(rule, "quic-v1")
}

// without keeps a protocol of IP from both machines until it is allowed again.
func (p *stretch) without(protocol, how string) (allow func()) {
	binder, dialer := without(p.binderAt, protocol, how), without(p.dialerAt, protocol, how)
	return func() { binder(); dialer() }
}

// moves waits until a rule's channels are all carried, over one of some
// transports if any are named, and bytes go on. Nothing tells when they do.
func (p *stretch) moves(rule string, transports ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	began, from := time.Now(), p.moved(ctx, rule)
	for {
		channels, err := p.dialer.api().GatewayChannels(ctx, rule)
		if err != nil {
			p.t.Fatal(err)
		}
		lost := func(c api.GatewayChannel) bool {
			return c.ReconnectingSince != nil || len(transports) > 0 && !slices.Contains(transports, c.Transport)
		}
		if moved := p.moved(ctx, rule) - from; len(channels) > 0 && !slices.ContainsFunc(channels, lost) && moved > plentyMoved {
			p.t.Logf("%d channels over %s, %d KiB after %s", len(channels), channels[0].Transport, moved>>10, time.Since(began).Round(time.Millisecond))
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("the channels do not go on over %s: %+v", strings.Join(transports, " or "), channels)
		}
	}
}

// plentyMoved is more bytes than are under way unseen when something happens.
const plentyMoved = 1 << 20

// moved counts a rule's bytes both ways.
func (p *stretch) moved(ctx context.Context, rule string) uint64 {
	p.t.Helper()
	rules, err := p.dialer.api().GatewayRules(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	i := slices.IndexFunc(rules, func(s api.GatewayStatus) bool { return s.Rule.ID == rule })
	return rules[i].Received + rules[i].Sent
}
