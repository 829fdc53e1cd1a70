package gateway

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// hanging is a service that takes no connection until it answers.
type hanging struct {
	calls chan struct{} // one for each connection that hangs
	ended chan error    // why it hangs no more

	mu      sync.Mutex
	answers bool
}

func newHanging() *hanging {
	return &hanging{calls: make(chan struct{}, 1000), ended: make(chan error, 1000)}
}

func (s *hanging) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = true
}

// dial is a Config's DialTarget.
func (s *hanging) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	answers := s.answers
	s.mu.Unlock()
	if answers {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	s.calls <- struct{}{}
	<-ctx.Done()
	s.ended <- context.Cause(ctx)
	return nil, ctx.Err()
}

// dialAnyway connects, unless the answer to that is a reset already.
func dialAnyway(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := dialNow(addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

func TestOneNodeThatFloodsAServiceThatHangsLeavesRoomForOthers(t *testing.T) {
	w, nodes := newWorld(t, 2)
	const places, clients = 40, 100
	service := newHanging()
	far := w.add(func(c *Config) {
		c.Limits.Channels, c.Limits.TargetTimeout, c.DialTarget = places, time.Minute, service.dial
	})
	s := far.expose(t, serve(t, echo).addr(), "web")
	flood, calm := nodes[0].forward(t, s), nodes[1].forward(t, s)
	var flooding []*net.TCPConn
	for range clients {
		if c := dialAnyway(t, flood); c != nil {
			flooding = append(flooding, c)
		}
	}
	for _, e := range far.heard.await(t, clients-places/2, kind(EventRefused)) {
		if e.Code != wire.Limit {
			t.Errorf("refused as %s: %v", e.Code, e.Err)
		}
	}
	for range places / 2 {
		<-service.calls
	}
	if n := len(service.calls); n > 0 {
		t.Errorf("one node has %d connections hanging, its share is %d", places/2+n, places/2)
	}
	service.answer()
	for range places / 4 { // half of what was left
		converse(t, dial(t, calm), 1000)
	}

	// Whoever hangs up gives his place back at once, whatever the service does.
	for _, c := range flooding {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	for range places / 2 {
		<-service.ended
	}
	far.heard.await(t, clients, kind(EventRefused))
	converse(t, dial(t, nodes[0].forward(t, s)), 1000)
	if n := len(service.calls); n > 0 {
		t.Errorf("%d connections too many", n)
	}
}
