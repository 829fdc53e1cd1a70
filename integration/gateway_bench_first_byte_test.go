//go:build figures

package integration

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/gateway"
)

// measureGatewayFirstByte measures, in virtual time, how long a client's first
// byte is under way to the service, from the moment when the client connects.
// Clients and services have no network: they are handed over.
func measureGatewayFirstByte(t *testing.T, report *figures.Report) {
	world.Run(t, world.Config{Nodes: 2, OneWay: distance / 2}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		clients, services := newHanded(), newHanded()
		far := startGatewayOn(t, w.Nodes[0].Node, gateway.Config{DialTarget: services.dial})
		defer far.Close()
		near := startGatewayOn(t, w.Nodes[1].Node, gateway.Config{Listen: clients.listen})
		defer near.Close()
		exposed, err := far.Add(t.Context(), gateway.Rule{Kind: gateway.Expose, Target: "127.0.0.1:80", Allow: []string{gateway.Anyone}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := near.Add(t.Context(), gateway.Rule{Kind: gateway.Forward, Listen: "127.0.0.1:8080", Pipe: exposed.Pipe.String()}); err != nil {
			t.Fatal(err)
		}
		took := time.Duration(0)
		for range 3 { // the third finds all that it can need
			took = firstByte(t, clients, services)
			time.Sleep(time.Second)
		}
		report.Add("gateway_first_byte", took.Seconds()/distance.Seconds(), "rtt", "<=0.5")
	})
}

func startGatewayOn(t *testing.T, n *node.Node, cfg gateway.Config) *gateway.Gateway {
	t.Helper()
	cfg.Pipes = n.Pipes()
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// firstByte connects a client, which speaks at once.
func firstByte(t *testing.T, clients, services *handed) time.Duration {
	t.Helper()
	began := time.Now()
	client, err := clients.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	service, err := services.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if _, err := io.ReadFull(service, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// handed is a listener at a place of its own: who dials there is handed over.
type handed struct {
	conns  chan net.Conn
	closed chan struct{}
	end    func()
}

func newHanded() *handed {
	closed := make(chan struct{})
	return &handed{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (h *handed) listen(context.Context, string, string) (net.Listener, error) { return h, nil }

func (h *handed) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case h.conns <- far:
		return near, nil
	case <-h.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handed) Addr() net.Addr { return &net.UnixAddr{Name: "handed", Net: "unix"} }

func (h *handed) Close() error {
	h.end()
	return nil
}
