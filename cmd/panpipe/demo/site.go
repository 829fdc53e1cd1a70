package demo

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"time"
)

// site is a web server on loopback. The page of each number has other bytes.
type site struct {
	http *http.Server
	l    net.Listener

	held chan struct{} // the second half of the crowd's pages waits until it is closed
	rest chan struct{} // and so does the last quarter
}

func newSite() (*site, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &site{l: l, held: make(chan struct{}), rest: make(chan struct{})}
	w.http = &http.Server{Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: pageTime}
	go w.http.Serve(l) //nolint:errcheck // it is told that it was closed
	return w, nil
}

// Addr is where it listens.
func (w *site) Addr() string { return w.l.Addr().String() }

// Close ends it.
func (w *site) Close() error { return w.http.Close() }

func (w *site) serve(to http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseUint(r.URL.Path[1:], 10, 64)
	if err != nil {
		http.NotFound(to, r)
		return
	}
	to.Header().Set("Content-Length", strconv.Itoa(pageSize))
	if number < crowdPages {
		page(number, to)
		return
	}
	page(number, &paced{Writer: to, ctx: r.Context(), gates: map[int]chan struct{}{pageSize / 2: w.held, pageSize * 3 / 4: w.rest}})
}

// paced writes on past certain points once their gates are open.
type paced struct {
	io.Writer
	ctx   context.Context
	count int
	gates map[int]chan struct{}
}

func (p *paced) Write(b []byte) (int, error) {
	if gate := p.gates[p.count]; gate != nil {
		select {
		case <-gate:
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
	}
	p.count += len(b)
	return p.Writer.Write(b)
}

// page writes the page of a number, until there is an error.
func page(number uint64, w io.Writer) {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], number)
	source, block := rand.NewChaCha8(seed), make([]byte, 32<<10)
	for range pageSize / len(block) {
		_, _ = source.Read(block) // it never fails
		if _, err := w.Write(block); err != nil {
			return // the client has gone
		}
	}
}

// visit fetches a page and compares it. What comes is metered too, if it is to
// be.
func (w *site) visit(ctx context.Context, c *http.Client, at string, number uint64, meter io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/%d", at, number), nil)
	if err != nil {
		return err
	}
	answer, err := c.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got := sha256.New()
	var to io.Writer = got
	if meter != nil {
		to = io.MultiWriter(got, meter)
	}
	if _, err := io.Copy(to, answer.Body); err != nil {
		return fmt.Errorf("page %d: %w", number, err)
	}
	return isPage(number, got)
}

// isPage compares what came with a page.
func isPage(number uint64, got hash.Hash) error {
	want := sha256.New()
	page(number, want)
	if a, b := fmt.Sprintf("%x", got.Sum(nil)), fmt.Sprintf("%x", want.Sum(nil)); a != b {
		return fmt.Errorf("page %d came with SHA-256 %s, it has %s", number, a, b)
	}
	return nil
}

// curl fetches a page with that program.
func (w *site) curl(ctx context.Context, exe, proxy, at string, number uint64) error {
	got := sha256.New()
	cmd := exec.CommandContext(ctx, exe, "--silent", "--show-error", "--fail", "--max-time", "20", "--proxy", proxy, fmt.Sprintf("%s/%d", at, number))
	cmd.Stdout = got
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return err
	}
	return isPage(number, got)
}
