package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

const (
	nodeCount = 8
	fileSize  = 128 << 20 // bytes
)

func joinOverlay(ctx context.Context, s *stage) error {
	took, err := s.add("1").start(ctx)
	if err != nil {
		return err
	}
	bootstrap := s.nodes[0]
	ticket, err := bootstrap.run(ctx, "ticket")
	if err != nil {
		return err
	}
	s.note("node 1 ready in %d ms, %s", took.Milliseconds(), bootstrap.ident.Peer)
	s.note("its ticket: %s", ticket)
	slowest, err := s.startOthers(ctx, ticket)
	if err != nil {
		return err
	}
	for _, n := range s.nodes {
		st, err := n.client.Status(ctx)
		if err != nil {
			return err
		}
		if !st.Ready || st.Servers == 0 {
			return fmt.Errorf("node %s says ready %v with %d servers known", n.name, st.Ready, st.Servers)
		}
	}
	s.verified(map[string]float64{"slowest_ready_ms": ms(slowest)},
		"%d nodes joined; the slowest was ready %d ms after its start (seven at once)", nodeCount, slowest.Milliseconds())
	return nil
}

func (s *stage) startOthers(ctx context.Context, ticket string) (slowest time.Duration, err error) {
	type result struct {
		took time.Duration
		err  error
	}
	results := make(chan result)
	for i := 2; i <= nodeCount; i++ {
		n := s.add(fmt.Sprint(i), ticket)
		go func() {
			took, err := n.start(ctx)
			results <- result{took, err}
		}()
	}
	for i := 2; i <= nodeCount; i++ {
		r := <-results
		slowest = max(slowest, r.took)
		if r.err != nil && err == nil {
			err = r.err
		}
	}
	return slowest, err
}

// owned makes the demo's pipe at node 2 unless an earlier step has.
func (s *stage) owned(ctx context.Context) error {
	if s.pipe != "" {
		return nil
	}
	out, err := s.nodes[1].run(ctx, "pipe", "create", "demo", "--json")
	if err != nil {
		return err
	}
	var p api.Pipe
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		return err
	}
	s.pipe = p.ID
	s.note("node 2$ panpipe pipe create demo\n%s", p.ID)
	return nil
}

func transferFile(ctx context.Context, s *stage) error {
	if err := s.owned(ctx); err != nil {
		return err
	}
	path, sum, err := makeFile(s.dir)
	if err != nil {
		return err
	}
	served, err := s.serveFile(ctx, path)
	if err != nil {
		return err
	}
	dialer := s.nodes[5]
	if err := s.showResolve(ctx, dialer); err != nil {
		return err
	}
	s.note("node 6$ panpipe pipe dial %s > copy", s.pipe)
	began := time.Now()
	got, err := dialInto(ctx, dialer, s.pipe, filepath.Join(s.dir, "copy"))
	if err != nil {
		return err
	}
	took := time.Since(began)
	if got != sum {
		return fmt.Errorf("the copy's SHA-256 is %s, the file's %s", got, sum)
	}
	if err := <-served; err != nil {
		return err
	}
	rate := fileSize / took.Seconds() / 1e6
	s.verified(map[string]float64{"bytes": fileSize, "megabytes_per_second": rate},
		"%d bytes in %.2f s (%.0f MB/s, disk to disk through both daemons), SHA-256 equal: %s…", fileSize, took.Seconds(), rate, got[:16])
	return nil
}

// makeFile writes a file of bytes that no compression helps with.
func makeFile(dir string) (path, sum string, err error) {
	path = filepath.Join(dir, "file")
	f, err := os.Create(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	h := sha256.New()
	src := rand.NewChaCha8([32]byte{'p', 'a', 'n', 'p', 'i', 'p', 'e'})
	if _, err := io.CopyN(io.MultiWriter(f, h), src, fileSize); err != nil {
		return "", "", err
	}
	return path, hex.EncodeToString(h.Sum(nil)), f.Sync()
}

// serveFile runs `panpipe pipe listen demo < file` at node 2 and returns when
// the pipe is bound. The channel gives how the command ended.
func (s *stage) serveFile(ctx context.Context, path string) (<-chan error, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s.note("node 2$ panpipe pipe listen demo < file    (%d MiB)", fileSize>>20)
	cmd := s.nodes[1].command(ctx, "pipe", "listen", "demo")
	cmd.Stdin = in
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		in.Close()
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		in.Close()
		if err != nil {
			err = fmt.Errorf("panpipe pipe listen: %w: %s", err, strings.TrimSpace(errs.String()))
		}
		ended <- err
	}()
	return ended, s.bound(ctx, s.nodes[1], ended)
}

// bound waits until the node's pipe list says that the demo's pipe is served.
func (s *stage) bound(ctx context.Context, n *daemon, ended <-chan error) error {
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := n.client.Resolve(wait, s.pipe, api.ResolveQuery{Wait: api.Duration(15 * time.Second)}); err != nil {
		select {
		case why := <-ended:
			return fmt.Errorf("the pipe is not bound: %w", why)
		default:
			return fmt.Errorf("the pipe is not bound: %w", err)
		}
	}
	s.note("bound after %d ms", time.Since(began).Milliseconds())
	return nil
}

func (s *stage) showResolve(ctx context.Context, n *daemon) error {
	r, err := n.client.Resolve(ctx, s.pipe, api.ResolveQuery{})
	if err != nil {
		return err
	}
	b := r.Bindings[0]
	s.note("node %s$ panpipe pipe resolve %s\n%s, %s by %s, in %.1f ms\n%s", n.name, s.pipe,
		b.Binder, b.Origin, b.From, r.TookMS, strings.Join(b.Endpoints, "\n"))
	if b.Binder != s.nodes[1].ident.Principal {
		return fmt.Errorf("resolved to %s, not to node 2", b.Binder)
	}
	return nil
}

// dialInto runs `panpipe pipe dial` with standard output into a file, and
// returns the SHA-256 of what came.
func dialInto(ctx context.Context, n *daemon, pipe, path string) (sum string, err error) {
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer out.Close()
	cmd := n.command(ctx, "pipe", "dial", pipe)
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("panpipe pipe dial: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, out); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
