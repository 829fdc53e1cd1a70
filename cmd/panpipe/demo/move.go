package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// greeter serves the demo's pipe at a node: each connection is told who serves
// and has its bytes sent back.
type greeter struct {
	listener *client.Listener
	served   chan api.Connection // as the binder saw each connection, when it was over
	ended    chan error          // how the listening ended
}

func (s *stage) greet(ctx context.Context, n *daemon, req api.ListenRequest) (*greeter, error) {
	l, err := n.client.Listen(ctx, s.pipe, req)
	if err != nil {
		return nil, err
	}
	g := &greeter{listener: l, served: make(chan api.Connection, 16), ended: make(chan error, 1)}
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				g.ended <- err
				return
			}
			go g.answer(ctx, c, n.name)
		}
	}()
	return g, nil
}

func (g *greeter) answer(ctx context.Context, c *client.Conn, name string) {
	defer c.Close()
	fmt.Fprintf(c, "node %s\n", name)
	if _, err := io.Copy(c, c); err != nil {
		return
	}
	if about, err := c.About(ctx); err == nil {
		g.served <- about
	}
}

// talk dials the pipe, says a line, and returns who answered and over what.
func (s *stage) talk(ctx context.Context, n *daemon, q api.DialQuery) (who string, over api.Connection, err error) {
	c, err := n.client.Dial(ctx, s.pipe, q)
	if err != nil {
		return "", api.Connection{}, err
	}
	defer c.Close()
	said := "a line from node " + n.name
	if _, err := io.WriteString(c, said); err != nil {
		return "", api.Connection{}, err
	}
	if err := c.CloseWrite(); err != nil {
		return "", api.Connection{}, err
	}
	heard, err := io.ReadAll(c)
	if err != nil {
		return "", api.Connection{}, err
	}
	who, echo, _ := strings.Cut(string(heard), "\n")
	if echo != said {
		return "", api.Connection{}, fmt.Errorf("said %q, heard %q", said, echo)
	}
	over, err = c.About(ctx)
	return who, over, err
}

func requireTransports(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	g, err := s.greet(ctx, s.nodes[1], api.ListenRequest{})
	if err != nil {
		return err
	}
	defer g.listener.Close()
	dialer := s.nodes[6]
	for _, t := range []string{"tcp", "quic-v1", "ws"} {
		began := time.Now()
		who, over, err := s.talk(ctx, dialer, api.DialQuery{Transport: t})
		if err != nil {
			return fmt.Errorf("over %s: %w", t, err)
		}
		seen := <-g.served
		if who != "node 2" || over.Transport != t || seen.Transport != t {
			return fmt.Errorf("asked for %s, reached %s over %s, and the binder saw %s", t, who, over.Transport, seen.Transport)
		}
		took := time.Since(began)
		s.verified(map[string]float64{"exchange_ms": ms(took)}, "--transport %-8s %5.1f ms  %s", t, ms(took), over.Endpoint)
	}
	return nil
}

func movePipe(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	owner, heir, dialer := s.nodes[1], s.nodes[3], s.nodes[5]
	before, err := s.greet(ctx, owner, api.ListenRequest{})
	if err != nil {
		return err
	}
	defer before.listener.Close()
	if who, _, err := s.talk(ctx, dialer, api.DialQuery{}); err != nil || who != "node 2" {
		return fmt.Errorf("before the move %q answers: %w", who, err)
	}
	capability, err := s.grant(ctx, owner, heir)
	if err != nil {
		return err
	}
	s.note("node 4$ panpipe pipe listen %s --cap %s…", s.pipe, capability[:24])
	began := time.Now()
	after, err := s.greet(ctx, heir, api.ListenRequest{Capability: capability})
	if err != nil {
		return err
	}
	defer after.listener.Close()
	bound := time.Since(began)
	if err := <-before.ended; !isReplaced(err) {
		return fmt.Errorf("the old binder was told %w, not that it is replaced", err)
	}
	s.note("bound there after %d ms; node 2 is told that it is replaced", bound.Milliseconds())
	for _, n := range []*daemon{dialer, s.nodes[7]} {
		who, _, err := s.talk(ctx, n, api.DialQuery{})
		if err != nil || who != "node 4" {
			return fmt.Errorf("after the move %q answers node %s: %w", who, n.name, err)
		}
	}
	s.verified(map[string]float64{"bind_ms": ms(bound)},
		"the same ID reaches node 4 now, from node 6 that had the old record and from node 8 that had none")
	return nil
}

func (s *stage) grant(ctx context.Context, owner, heir *daemon) (string, error) {
	s.note("node 2$ panpipe pipe grant demo --bind --to %s --for 1h", heir.ident.Principal)
	out, err := owner.run(ctx, "pipe", "grant", "demo", "--bind", "--to", heir.ident.Principal, "--for", "1h", "--json")
	if err != nil {
		return "", err
	}
	var g api.Grant
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		return "", err
	}
	return g.Capability, nil
}

func killBootstrap(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	if err := s.nodes[0].kill(); err != nil {
		return err
	}
	s.note("node 1 killed (SIGKILL)")
	began := time.Now()
	g, err := s.greet(ctx, s.nodes[1], api.ListenRequest{})
	if err != nil {
		return err
	}
	defer g.listener.Close()
	bound := time.Since(began)
	began = time.Now()
	for _, n := range s.nodes[2:] {
		if who, _, err := s.talk(ctx, n, api.DialQuery{NoCache: true}); err != nil || who != "node 2" {
			return fmt.Errorf("without the bootstrap node %q answers node %s: %w", who, n.name, err)
		}
	}
	each := time.Since(began) / time.Duration(len(s.nodes)-2)
	s.verified(map[string]float64{"bind_ms": ms(bound), "dial_ms": ms(each)},
		"the pipe was bound anew in %d ms; six nodes resolved and dialled it, %d ms each", bound.Milliseconds(), each.Milliseconds())
	return nil
}

func rejoin(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	g, err := s.greet(ctx, s.nodes[1], api.ListenRequest{})
	if err != nil {
		return err
	}
	defer g.listener.Close()
	n := s.nodes[4]
	was := n.ident.Peer
	if err := n.stop(); err != nil {
		return err
	}
	n.join = nil
	took, err := n.start(ctx)
	if err != nil {
		return err
	}
	who, _, err := s.talk(ctx, n, api.DialQuery{})
	if err != nil || who != "node 2" || n.ident.Peer != was {
		return fmt.Errorf("after its restart node 5 (%s, before %s) is answered by %q: %w", n.ident.Peer, was, who, err)
	}
	s.verified(map[string]float64{"ready_ms": ms(took)},
		"node 5 was ready %d ms after a restart without --join, the same node as before, and reaches the pipe", took.Milliseconds())
	return nil
}
