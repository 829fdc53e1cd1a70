//go:build figures

package integration

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// tunnel is a way by TCP from the client to the service.
type tunnel struct {
	name string
	addr string       // where clients connect
	pids func() []int // the processes between client and service; nil: none that are known
}

// Open connects a client to a service, as opener has it.
func (w *tunnel) Open(ctx context.Context, service string) (stream, error) {
	return openTCP(ctx, w.addr, service)
}

// startService starts the service of a part where the whole run has it.
func startService(t *testing.T) (addr string) {
	t.Helper()
	at, _ := startChild(t, "TestGatewayFigures", "GATEWAY_CHILD=service "+os.Getenv("GATEWAY_SERVICE"))
	return at
}

// bound is one that the gateway has to keep, and nobody else.
func (w *tunnel) bound(b string) string {
	if w.name == "gateway" {
		return b
	}
	return "-"
}

// contestants are the tunnels that are measured in turn.
type contestants struct {
	all   []*tunnel
	named map[string]*tunnel
}

// contest starts the service and whatever leads there, and sees each work.
func contest(t *testing.T) contestants {
	t.Helper()
	service := startService(t)
	c := contestants{named: make(map[string]*tunnel)}
	c.all = []*tunnel{{name: "raw", addr: service}, startProxies(t, service), startSSH(t, service), &startGateway(t, service, reach.TCP).tunnel}
	if foreign := os.Getenv("FORWARDER"); foreign != "" {
		w := &tunnel{name: "foreign", addr: foreign}
		awaitForeign(t, w)
		c.all = append(c.all, w)
	}
	for _, w := range c.all {
		c.named[w.name] = w
		for range 10 {
			if err := live(w); err != nil {
				t.Fatalf("%s: %v", w.name, err)
			}
		}
	}
	return c
}

// startProxies starts a chain of two copying proxies.
func startProxies(t *testing.T, service string) *tunnel {
	t.Helper()
	far, farPID := startChild(t, "TestGatewayFigures", "GATEWAY_CHILD=proxy "+service)
	near, nearPID := startChild(t, "TestGatewayFigures", "GATEWAY_CHILD=proxy "+far)
	return &tunnel{"proxies", near, func() []int { return []int{nearPID, farPID} }}
}

// awaitForeign gives a foreign forwarder time to be started, now that the
// service's address is known.
func awaitForeign(t *testing.T, w *tunnel) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		err := live(w)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("FORWARDER=%s does not lead to the service at %s: %v", w.addr, os.Getenv("GATEWAY_SERVICE"), err)
		}
	}
}
