package node

import (
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// pair starts a node that serves a pipe and keeps whatever is dialled open,
// and one that knows the pipe's ID.
func pair(t *testing.T, transport reach.Transport, server, client Limits) (dialer *Node, id string) {
	t.Helper()
	listen := map[reach.Transport]string{reach.TCP: "/ip4/127.0.0.1/tcp/0", reach.QUIC: "/ip4/127.0.0.1/udp/0/quic-v1"}[transport]
	cfg := local(listen)
	cfg.Limits = server
	a := start(t, cfg)
	cfg = local(listen)
	cfg.Limits, cfg.Join = client, []string{ticket(a)}
	b := start(t, cfg)
	ctx := within(t, 20*time.Second)
	if err := b.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := a.CreatePipe(ctx, "held", pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.ListenPipe(ctx, "held", pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range held {
			c.Close()
		}
	})
	return b, p.ID.String()
}

// dialUntil dials n times, or until an error, and keeps the connections.
func dialUntil(t *testing.T, dialer *Node, id string, n int, o pipe.DialOptions) (count int, err error) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for count < n {
		c, err := dialer.DialPipe(ctx, id, o)
		if err != nil {
			return count, err
		}
		t.Cleanup(func() { c.Close() })
		if err := c.(*pipe.Conn).Opened(ctx); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

func TestThreeHundredthConnectionToOnePeerWorksOverTCP(t *testing.T) {
	dialer, id := pair(t, reach.TCP, Limits{}, Limits{})
	if n, err := dialUntil(t, dialer, id, 300, pipe.DialOptions{}); err != nil {
		t.Errorf("after %d: %v", n, err)
	}
}

func TestCapThatIsHitIsNamedWithItsSetting(t *testing.T) {
	for name, c := range map[string]struct {
		transport      reach.Transport
		server, client Limits
		setting        string
		raw            bool
	}{
		"own streams per peer": {reach.TCP, Limits{}, Limits{StreamsPerPeer: 5}, settingStreamsPerPeer, true},
		"far streams per peer": {reach.TCP, Limits{StreamsPerPeer: 5}, Limits{}, settingStreamsPerPeer, true},
		"far streams on QUIC":  {reach.QUIC, Limits{StreamsPerPeer: 5}, Limits{}, settingStreamsPerPeer, true},
		"own links per peer":   {reach.TCP, Limits{}, Limits{LinksPerPeer: 5}, "limits.links_per_peer", false},
		"own links":            {reach.TCP, Limits{}, Limits{Links: 5}, "limits.links", false},
		"far links per peer":   {reach.QUIC, Limits{LinksPerPeer: 5}, Limits{}, "limits.links_per_peer", false},
		"own pipe connections": {reach.TCP, Limits{}, Limits{PipeConnections: 5}, "limits.pipe_connections", false},
		"far pipe connections": {reach.TCP, Limits{PipeConnections: 10}, Limits{}, "limits.pipe_connections", false}, // one peer's share
	} {
		t.Run(name, func(t *testing.T) {
			dialer, id := pair(t, c.transport, c.server, c.client)
			n, err := dialUntil(t, dialer, id, 20, pipe.DialOptions{Raw: c.raw})
			if n != 5 || wire.CodeOf(err) != wire.Limit {
				t.Fatalf("%d connections, then %v (%v)", n, err, wire.CodeOf(err))
			}
			if text := err.Error() + " | " + wire.NextOf(err); !strings.Contains(text, c.setting) {
				t.Errorf("error does not name %s: %s", c.setting, text)
			}
		})
	}
}

func TestLimitsAreListedWithTheirSettings(t *testing.T) {
	cfg := local()
	cfg.Relay.Serve = true
	n := start(t, cfg)
	seen := map[string]bool{}
	for _, l := range n.Limits() {
		if l.Name == "" || l.Value <= 0 || l.Unit == "" || seen[l.Name] {
			t.Errorf("limit %+v", l)
		}
		seen[l.Name] = true
	}
	settings := map[string]bool{}
	for _, l := range n.Limits() {
		settings[l.Setting] = true
	}
	// Each field of Limits and of Relay, but Serve, moves a limit.
	want := reflect.TypeFor[Limits]().NumField() + reflect.TypeFor[Relay]().NumField() - 1 + 1 // and max_connections
	if delete(settings, ""); len(settings) != want {
		t.Errorf("%d settings, want %d: %v", len(settings), want, settings)
	}
}

func TestEveryLimitHasADefault(t *testing.T) {
	c, err := Config{}.normalize()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []any{c.Limits, c.Relay} {
		v := reflect.ValueOf(s)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Serve" && v.Field(i).IsZero() {
				t.Errorf("%T.%s has no default", s, name)
			}
		}
	}
}
