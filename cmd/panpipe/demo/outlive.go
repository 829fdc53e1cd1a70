package demo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// between is how many bytes come over one path before the next is taken away.
const between = 16 << 20

// blow is something that is done to what carries a transfer.
type blow struct {
	what string
	do   func(ctx context.Context, s *stage, over api.Connection) error
	well func(before, after api.Connection) bool // the connection goes on where it should
}

var blows = []blow{
	{"cut by node 6", func(ctx context.Context, s *stage, _ api.Connection) error {
		s.note("node 6$ panpipe peers disconnect %s", s.nodes[1].ident.Peer)
		return s.nodes[5].client.Disconnect(ctx, s.nodes[1].ident.Peer)
	}, anywhere},
	{"cut by node 2", func(ctx context.Context, s *stage, _ api.Connection) error {
		s.note("node 2$ panpipe peers disconnect %s", s.nodes[5].ident.Peer)
		return s.nodes[1].client.Disconnect(ctx, s.nodes[5].ident.Peer)
	}, anywhere},
	{"transport taken away", func(ctx context.Context, s *stage, over api.Connection) error {
		return errors.Join(s.withhold(ctx, s.nodes[5], over), s.withhold(ctx, s.nodes[1], over))
	}, func(before, after api.Connection) bool { return before.Transport != after.Transport }},
	{"other ports at node 2", func(ctx context.Context, s *stage, _ api.Connection) error {
		return s.relisten(ctx, s.nodes[1], listenAddrs())
	}, func(before, after api.Connection) bool { return before.Endpoint != after.Endpoint }},
}

func anywhere(_, _ api.Connection) bool { return true }

// outlivePaths sends bytes from node 2 to node 6 while blow after blow hits what
// carries them.
func outlivePaths(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	l, err := s.nodes[1].client.Listen(ctx, s.pipe, api.ListenRequest{})
	if err != nil {
		return err
	}
	defer l.Close()
	enough, sent := make(chan struct{}), make(chan poured, 1)
	go func() {
		c, err := l.AcceptConn()
		if err != nil {
			sent <- poured{err: err}
			return
		}
		defer c.Close()
		sent <- pour(c, enough)
	}()
	c, err := s.nodes[5].client.Dial(ctx, s.pipe, api.DialQuery{})
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, c.Reset)() // ends what waits for bytes
	in := newIntake(c)
	var pauses []string
	for _, b := range blows {
		pause, err := s.strike(ctx, c.ID(), in, b)
		if err != nil {
			return err
		}
		pauses = append(pauses, fmt.Sprintf("%.0f", pause))
	}
	if err := in.more(between); err != nil {
		return fmt.Errorf("after the last blow: %w", err)
	}
	close(enough)
	out, err := <-sent, in.rest()
	if err = errors.Join(out.err, err); err != nil {
		return err
	}
	if got := hex.EncodeToString(in.sum.Sum(nil)); got != out.sum || in.count != out.count {
		return fmt.Errorf("%d bytes came with SHA-256 %s, %d were sent with %s", in.count, got, out.count, out.sum)
	}
	if err := s.relisten(ctx, s.nodes[5], listenAddrs()); err != nil { // for the steps behind this one
		return err
	}
	s.verified(map[string]float64{"bytes": float64(in.count), "longest_read_ms": ms(in.longest)},
		"%d bytes, SHA-256 equal: %s…; pauses of %s ms between paths, and the program waited %.0f ms for bytes at most", in.count, out.sum[:16], strings.Join(pauses, ", "), ms(in.longest))
	return nil
}

// strike waits until bytes flow, deals a blow and waits until the connection
// goes on. It returns the pause in milliseconds.
func (s *stage) strike(ctx context.Context, id string, in *intake, b blow) (pause float64, err error) {
	if err := in.more(between); err != nil {
		return 0, fmt.Errorf("before %q: %w", b.what, err)
	}
	dialer := s.nodes[5].client
	before, err := dialer.Connection(ctx, id)
	if err != nil {
		return 0, err
	}
	st, err := dialer.Status(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.do(ctx, s, before); err != nil {
		return 0, fmt.Errorf("%s: %w", b.what, err)
	}
	for e, err := range dialer.Events(ctx, st.Event) {
		if err != nil {
			return 0, err
		}
		if e.Kind != api.EventConnectionMoved || e.Connection.ID != id {
			continue
		}
		after := *e.Connection
		if !b.well(before, after) {
			continue // it is not done yet
		}
		leg := after.Legs[len(after.Legs)-1]
		s.note("%s: on after %.1f ms, over %s at %s; %d bytes had come", b.what, leg.PauseMS, leg.Transport, leg.Endpoint, in.total())
		return leg.PauseMS, nil
	}
	return 0, ctx.Err()
}

// withhold has a node listen no more on the UDP, or the TCP, that a connection
// goes over: as long as neither end does, they cannot use it.
func (s *stage) withhold(ctx context.Context, n *daemon, over api.Connection) error {
	st, err := n.client.Status(ctx)
	if err != nil {
		return err
	}
	return s.relisten(ctx, n, slices.DeleteFunc(st.Addresses, func(a string) bool { return protocolOf(a) == protocolOf(over.Endpoint) }))
}

func (s *stage) relisten(ctx context.Context, n *daemon, addrs []string) error {
	s.note("node %s$ panpipe relisten %s", n.name, strings.Join(addrs, " "))
	_, err := n.client.Relisten(ctx, addrs)
	return err
}

// protocolOf is tcp or udp.
func protocolOf(addr string) string { return strings.Split(addr+"///", "/")[3] }
