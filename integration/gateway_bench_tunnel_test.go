//go:build figures

package integration

import (
	"context"
	"os"
	"testing"
	"time"
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

// contest starts the service and whatever leads there, and sees each work.
func contest(t *testing.T) (tunnels map[string]*tunnel, all []*tunnel) {
	t.Helper()
	service := startService(t)
	all = []*tunnel{{name: "raw", addr: service}, startProxies(t, service), startSSH(t, service), &startGateway(t, service, "tcp").tunnel}
	if foreign := os.Getenv("FORWARDER"); foreign != "" {
		w := &tunnel{name: "foreign", addr: foreign}
		awaitForeign(t, w)
		all = append(all, w)
	}
	tunnels = make(map[string]*tunnel)
	for _, w := range all {
		tunnels[w.name] = w
		for range 10 {
			if err := live(w); err != nil {
				t.Fatalf("%s: %v", w.name, err)
			}
		}
	}
	return tunnels, all
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
