package node

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/gateway"
)

// echo is a service that sends back what it gets.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener, and each connection with its client
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // the client tells what came
			}()
		}
	}()
	return l.Addr().String()
}

// heard sends words through a forward rule, and returns what comes back.
func heard(t *testing.T, addr, words string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, words); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// awaited is closed when the gateway of a node tells of such an event.
func awaited(t *testing.T, n *Node, of gateway.Kind, kind gateway.EventKind) <-chan struct{} {
	came, told := make(chan struct{}), make(chan struct{}, 1)
	told <- struct{}{}
	t.Cleanup(n.WatchGateway(func(e gateway.Event) {
		if e.Of != of || e.Kind != kind {
			return
		}
		select {
		case <-told:
			close(came)
		default:
		}
	}))
	return came
}

func wait(t *testing.T, what string, came <-chan struct{}) {
	t.Helper()
	select {
	case <-came:
	case <-time.After(10 * time.Second):
		t.Fatal("there was no " + what)
	}
}

func add(t *testing.T, n *Node, r gateway.Rule) gateway.Status {
	t.Helper()
	s, err := n.Gateway().Add(within(t, 10*time.Second), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAServiceIsPublishedAndTold(t *testing.T) {
	a, b := two(t)
	at := add(t, a, gateway.Rule{Kind: gateway.Expose, Target: echo(t), Allow: []string{gateway.Anyone}})
	through := add(t, b, gateway.Rule{Kind: gateway.Forward, Listen: "127.0.0.1:0", Pipe: at.Pipe.String()})
	closed := awaited(t, b, gateway.Forward, gateway.EventClosed)
	if got := heard(t, through.Addr, "hello"); got != "hello" {
		t.Errorf("heard %q", got)
	}
	wait(t, "end of the channel", closed)
	found := with(t, b.Examine(within(t, 10*time.Second)), doctor.GatewayRule)
	if found.Severity != doctor.OK || !strings.Contains(found.Summary, "1 rule") {
		t.Errorf("%+v", found)
	}
	values := map[string]float64{}
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "direction" || l.GetName() == "code" {
					name += " " + l.GetValue()
				}
				if l.GetName() == "rule" && l.GetValue() != through.Rule.ID {
					t.Errorf("%s of rule %s", f.GetName(), l.GetValue())
				}
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"panpipe_gateway_up": 1, "panpipe_gateway_channels": 0, "panpipe_gateway_opened_total": 1, "panpipe_gateway_bytes_total in": 5,
		"panpipe_gateway_bytes_total out": 5, "panpipe_gateway_ended_total ok": 1, "panpipe_gateway_channel_seconds": 1, "panpipe_gateway_accept_blocked_total": 0,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestRulesAndTroubleSurviveARestart: each rule is there again with its ID and
// its pipe, and doctor tells of those that lead nowhere.
func TestRulesAndTroubleSurviveARestart(t *testing.T) {
	defer noLeak(t)
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.StateDir = t.TempDir()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	before := add(t, n, gateway.Rule{Kind: gateway.Expose, Target: "127.0.0.1:1", Pipe: "off", Allow: []string{gateway.Anyone}})
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	add(t, n, gateway.Rule{ID: "s", Kind: gateway.Socks, Listen: "127.0.0.1:0"})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	up := awaited(t, n, gateway.Expose, gateway.EventRuleUp)
	if s := n.Gateway().Rules()[0]; s.State != gateway.Up { // it may be up before anybody could watch
		wait(t, "rule", up)
	}
	rules := n.Gateway().Rules()
	if len(rules) != 2 || rules[0].Rule.ID != before.Rule.ID || rules[0].Pipe != before.Pipe || rules[1].Addr == "" {
		t.Errorf("%+v", rules)
	}
	if _, err := n.Gateway().Apply(within(t, 5*time.Second), []gateway.Rule{
		before.Rule, {ID: "busy", Kind: gateway.Socks, Listen: busy.Addr().String()},
	}); err != nil {
		t.Fatal(err)
	}
	all := n.Examine(within(t, 10*time.Second))
	if f := with(t, all, doctor.GatewayTarget); f.Severity != doctor.Problem || !strings.Contains(f.Cause, "refused") {
		t.Errorf("%+v", f)
	}
	if f := with(t, all, doctor.GatewayRule); f.Severity != doctor.Warning || !strings.Contains(f.Cause, "in use") || f.Next == "" {
		t.Errorf("%+v", f)
	}
}

func TestTheGatewaysOwnLimitsAreToldOf(t *testing.T) {
	defer noLeak(t)
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Limits.GatewayPerClient = 1
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := add(t, n, gateway.Rule{Kind: gateway.Socks, Listen: "127.0.0.1:0"})
	refused := awaited(t, n, gateway.Socks, gateway.EventRefused)
	for range 2 { // the first names nothing, and stays
		c, err := net.Dial("tcp", s.Addr)
		if err == nil {
			defer c.Close()
		}
	}
	wait(t, "refusal", refused)
	f := with(t, n.Examine(within(t, 10*time.Second)), doctor.LimitHit)
	if !strings.Contains(f.Summary, "gateway channels of one client") || !strings.Contains(f.Next, "limits.gateway_channels_per_client") {
		t.Errorf("%+v", f)
	}
}
