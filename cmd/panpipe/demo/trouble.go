package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// killBinder moves the pipe from a binder that dies: nobody can be told by it
// that the pipe has moved, and the dialer has its record at hand.
func killBinder(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	owner, old, heir := s.nodes[1], s.nodes[3], s.nodes[6]
	atOnce, later := s.nodes[5], s.nodes[2]
	capOfOld, err := s.grant(ctx, owner, old)
	if err != nil {
		return err
	}
	if _, err := s.greet(ctx, old, api.ListenRequest{Capability: capOfOld}); err != nil {
		return err
	}
	for _, n := range []*daemon{atOnce, later} {
		if who, _, err := s.talk(ctx, n, api.DialQuery{}); err != nil || who != "node 4" {
			return fmt.Errorf("before the death %q answers node %s: %w", who, n.name, err)
		}
	}
	capOfHeir, err := s.grant(ctx, owner, heir)
	if err != nil {
		return err
	}
	if err := old.kill(); err != nil {
		return err
	}
	s.note("node 4 killed (SIGKILL) right after nodes 6 and 3 dialled it; node 7 begins to bind the pipe, and node 6 dials it")
	reached := make(chan error, 1)
	go func() { reached <- s.reachHeir(ctx, atOnce) }()
	began := time.Now()
	g, err := s.greet(ctx, heir, api.ListenRequest{Capability: capOfHeir})
	if err != nil {
		return errors.Join(err, <-reached)
	}
	defer g.listener.Close()
	s.note("bound after %.0f ms, of which the old binder had two seconds to say that it knows", ms(time.Since(began)))
	if err := errors.Join(<-reached, s.reachHeir(ctx, later)); err != nil {
		return err
	}
	_, err = old.start(ctx) // for the steps behind this one
	return err
}

// reachHeir dials with the dead binder's record at hand and a connection to it
// that looks alive.
func (s *stage) reachHeir(ctx context.Context, dialer *daemon) error {
	began := time.Now()
	who, over, err := s.talk(ctx, dialer, api.DialQuery{Wait: api.Duration(10 * time.Second)})
	took := time.Since(began)
	if err != nil || who != "node 7" {
		return fmt.Errorf("after the death %q answers node %s: %w", who, dialer.name, err)
	}
	s.verified(map[string]float64{"dial_ms": ms(took)},
		"node %s, which had the dead one's record, reaches node 7 %.1f ms after it began to dial, over %s", dialer.name, ms(took), over.Transport)
	return nil
}

// explainPipe shows what a person sees who asks where a pipe is.
func explainPipe(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	g, err := s.greet(ctx, s.nodes[1], api.ListenRequest{})
	if err != nil {
		return err
	}
	defer g.listener.Close()
	far := s.nodes[7]
	shown, err := far.run(ctx, "explain", s.pipe)
	if err != nil {
		return err
	}
	s.note("node 8$ panpipe explain %s\n%s", s.pipe, shown)
	e, err := far.client.Explain(ctx, s.pipe, api.DialQuery{})
	if err != nil {
		return err
	}
	if len(e.Records) != 1 || e.Records[0].Binder != s.nodes[1].ident.Principal || !e.Accepted || e.State != "reachable" || e.Path != "direct" {
		return fmt.Errorf("node 8 says of the pipe: %s over %q, accepted %v, records %v", e.State, e.Path, e.Accepted, e.Records)
	}
	holders, err := s.holders(ctx, far)
	if err != nil {
		return err
	}
	s.verified(map[string]float64{"explain_ms": e.TookMS, "holders": float64(len(holders))},
		"%s, %s, by node 2; nodes %s hold its record", e.State, e.Path, strings.Join(holders, ", "))
	return nil
}

// holders asks every node by itself for the record of the pipe, and names those
// that hold it. None is an error.
func (s *stage) holders(ctx context.Context, asker *daemon) ([]string, error) {
	var names []string
	for _, n := range s.nodes {
		if n == asker {
			continue
		}
		r, err := asker.client.Resolve(ctx, s.pipe, api.ResolveQuery{Fresh: true, Ask: []string{n.ident.Peer}})
		if err == nil && r.Bindings[0].Origin == "held" {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no node holds the record of the pipe")
	}
	return names, nil
}

// examine has a node examined that serves the pipe.
func examine(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	g, err := s.greet(ctx, s.nodes[1], api.ListenRequest{})
	if err != nil {
		return err
	}
	defer g.listener.Close()
	began := time.Now()
	d, err := s.nodes[1].client.Doctor(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	severity := map[string]string{} // by code
	var lines []string
	for _, f := range d.Findings {
		severity[f.Code] = f.Severity
		lines = append(lines, fmt.Sprintf("%-7s  %s (%s)", f.Severity, f.Summary, f.Code))
	}
	s.note("node 2$ panpipe doctor\n%s", strings.Join(lines, "\n"))
	for _, code := range []string{"peers", "overlay-answers", "binding"} {
		if severity[code] != "ok" {
			return fmt.Errorf("node 2 says %q of %s, although the overlay is well", severity[code], code)
		}
	}
	s.verified(map[string]float64{"doctor_ms": ms(took), "findings": float64(len(d.Findings))},
		"%d findings in %.0f ms: peers, overlay and binding are in order", len(d.Findings), ms(took))
	return nil
}
