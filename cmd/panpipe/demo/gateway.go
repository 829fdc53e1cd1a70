package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

const (
	clients    = 200     // at once
	crowdPages = 100     // the first page of theirs
	pageSize   = 1 << 20 // bytes
	pageTime   = time.Minute
)

// publishService has node 3 publish a web server, and node 8 reach it for
// programs that know nothing of pipes.
func publishService(ctx context.Context, s *stage) error {
	web, err := newSite()
	if err != nil {
		return err
	}
	defer web.Close()
	far, near := s.nodes[2], s.nodes[7]
	exposed, err := s.rule(ctx, far, "expose", web.Addr(), "--pipe", "site", "--allow", near.ident.Principal)
	if err != nil {
		return err
	}
	forward, err := s.rule(ctx, near, "forward", "127.0.0.1:0", exposed.Pipe)
	if err != nil {
		return err
	}
	socks, err := s.rule(ctx, near, "socks", "127.0.0.1:0")
	if err != nil {
		return err
	}
	direct := visitor(nil)
	if err := s.visitOnce(ctx, web, exposed.Pipe, forward.Addr, socks.Addr); err != nil {
		return err
	}
	if err := s.crowd(ctx, web, direct, far, near, forward); err != nil {
		return err
	}
	for _, r := range []struct {
		at *daemon
		id string
	}{{near, socks.Rule.ID}, {near, forward.Rule.ID}, {far, exposed.Rule.ID}} {
		if _, err := r.at.run(ctx, "gateway", "rm", r.id); err != nil {
			return err
		}
	}
	return nil
}

// rule types a command of the gateway, and shows it.
func (s *stage) rule(ctx context.Context, n *daemon, args ...string) (r api.GatewayStatus, err error) {
	s.note("node %s$ panpipe gateway %s", n.name, strings.Join(args, " "))
	out, err := n.run(ctx, append([]string{"gateway", "--json"}, args...)...)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, fmt.Errorf("gateway %s printed %q: %w", args[0], out, err)
	}
	if r.State != "up" {
		return r, fmt.Errorf("gateway %s: the rule is %s: %w", args[0], r.State, r.Problem.Err())
	}
	return r, nil
}

// visitor is an HTTP client with a connection for each request.
func visitor(proxy *url.URL) *http.Client {
	t := &http.Transport{DisableKeepAlives: true}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: t, Timeout: pageTime}
}

// visitOnce fetches a page by each way in.
func (s *stage) visitOnce(ctx context.Context, web *site, pipe, forward, socks string) error {
	began := time.Now()
	if err := web.visit(ctx, visitor(nil), "http://"+forward, 1, nil); err != nil {
		return fmt.Errorf("by forward: %w", err)
	}
	byForward := time.Since(began)
	proxy := &url.URL{Scheme: "socks5h", Host: socks}
	began = time.Now()
	if err := web.visit(ctx, visitor(proxy), "http://"+pipe+".pipe", 2, nil); err != nil {
		return fmt.Errorf("by SOCKS5: %w", err)
	}
	bySocks := time.Since(began)
	curl := "curl is not here"
	if exe, err := exec.LookPath("curl"); err == nil {
		if err := web.curl(ctx, exe, proxy.String(), "http://"+pipe+".pipe", 3); err != nil {
			return fmt.Errorf("by curl: %w", err)
		}
		curl = "curl --proxy " + proxy.Scheme + "://… has it too"
	}
	s.verified(map[string]float64{"forward_ms": ms(byForward), "socks_ms": ms(bySocks)},
		"a page of 1 MiB, SHA-256 equal: by forward %.1f ms, by SOCKS5 %.1f ms; %s", ms(byForward), ms(bySocks), curl)
	return nil
}

// crowd has many clients fetch at once, each another page, while the trunk is
// cut, and while its transport is taken away.
func (s *stage) crowd(ctx context.Context, web *site, c *http.Client, far, near *daemon, forward api.GatewayStatus) error {
	in, began := newMeter(), time.Now()
	var all sync.WaitGroup
	errs := make(chan error, clients)
	for i := range clients {
		all.Go(func() { errs <- web.visit(ctx, c, "http://"+forward.Addr, uint64(crowdPages+i), in) })
	}
	go func() {
		all.Wait()
		in.over(io.EOF)
	}()
	over, cut := s.cutTrunk(ctx, in, web, far, near, forward.Rule.ID)
	all.Wait()
	close(errs)
	took := time.Since(began)
	err := cut
	for e := range errs {
		err = errors.Join(err, e)
	}
	if err = errors.Join(err, s.relisten(ctx, far, listenAddrs()), s.relisten(ctx, near, listenAddrs())); err != nil {
		return err
	}
	bytes := float64(in.total())
	s.verified(map[string]float64{"clients": clients, "bytes": bytes, "seconds": took.Seconds(), "longest_read_ms": ms(in.longest)},
		"%d clients at once over one trunk: %.0f MiB in %.1f s, all SHA-256 equal, over %s; no bytes for %.0f ms at most",
		clients, bytes/(1<<20), took.Seconds(), strings.Join(over, ", then "), ms(in.longest))
	return nil
}

// cutTrunk cuts what carries the channels of a rule, and takes its transport
// away later on; the server sees to it that there is more to come after each. It
// tells over which transports they went.
func (s *stage) cutTrunk(ctx context.Context, in *intake, web *site, far, near *daemon, rule string) (over []string, err error) {
	held, rest := sync.OnceFunc(func() { close(web.held) }), sync.OnceFunc(func() { close(web.rest) })
	defer rest()
	defer held()
	const share = clients * pageSize / 5
	if err := in.more(share); err != nil {
		return nil, err
	}
	if err := s.disconnect(ctx, near, far); err != nil {
		return nil, err
	}
	held()
	if err := in.more(share); err != nil {
		return nil, fmt.Errorf("after the cut: %w", err)
	}
	before, err := s.transportOf(ctx, near, rule)
	if err != nil {
		return nil, err
	}
	carried := api.Connection{Endpoint: "//any/" + map[bool]string{true: "udp", false: "tcp"}[before == "quic-v1"]}
	if err := errors.Join(s.withhold(ctx, near, carried), s.withhold(ctx, far, carried)); err != nil {
		return nil, err
	}
	rest()
	if err := in.more(share); err != nil {
		return nil, fmt.Errorf("without %s: %w", before, err)
	}
	after, err := s.transportOf(ctx, near, rule)
	if err == nil && after == before {
		err = fmt.Errorf("%s was taken away, and the channels go over it", before)
	}
	return []string{before, after}, err
}

// transportOf is what carries the channels of a rule now.
func (s *stage) transportOf(ctx context.Context, n *daemon, rule string) (string, error) {
	open, err := n.client.GatewayChannels(ctx, rule)
	if err != nil {
		return "", err
	}
	for _, c := range open {
		if c.ReconnectingSince == nil && c.Transport != "" {
			s.note("node %s$ panpipe gateway ls --channels: %d open, %s goes over %s", n.name, len(open), c.ID, c.Transport)
			return c.Transport, nil
		}
	}
	return "", fmt.Errorf("of %d channels none is carried", len(open))
}
