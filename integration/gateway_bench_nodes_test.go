//go:build figures

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// gateways is a tunnel made of two nodes, as a person makes it.
type gateways struct {
	tunnel
	near, far *daemon // which forwards, and which exposes the service
}

// startGateway starts two nodes, of which one exposes the service and the other
// forwards to that over a transport.
func startGateway(t *testing.T, service string, transport reach.Transport, args ...string) *gateways {
	t.Helper()
	exe := os.Getenv("PANPIPE_BIN")
	far := startDaemon(t, exe, args...)
	near := startDaemon(t, exe, append([]string{"--join", far.ticket}, args...)...)
	return joinGateway(t, service, transport, near, far)
}

// joinGateway exposes the service at one node and forwards to it from another.
func joinGateway(t *testing.T, service string, transport reach.Transport, near, far *daemon) *gateways {
	t.Helper()
	var exposed struct{ Pipe string }
	far.tell(t, &exposed, "gateway", "expose", service, "--allow", "anyone")
	var forwarded struct{ Addr string }
	near.tell(t, &forwarded, "gateway", "forward", "127.0.0.1:0", exposed.Pipe, "--transport", string(transport))
	g := &gateways{near: near, far: far}
	g.tunnel = tunnel{"gateway", forwarded.Addr, func() []int { return []int{near.proc.Process.Pid, far.proc.Process.Pid} }}
	return g
}

// tell types a command and reads the JSON that it prints.
func (d *daemon) tell(t *testing.T, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.proc.Path, append(args, "--json", "--socket", d.socket)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("panpipe %s: %v\n%s%s", strings.Join(args, " "), err, out, &errs)
	}
}

// profile asks the node for one of its profiles, as text.
func (d *daemon) profile(t *testing.T, query string) string {
	t.Helper()
	web := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", d.socket)
		},
	}}
	resp, err := web.Get("http://node/debug/pprof/" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", query, err, text)
	}
	return string(text)
}

// memStat is a line of the memory statistics in a heap profile.
var memStat = regexp.MustCompile(`(?m)^# (HeapAlloc|Stack) = (\d+)`)

// holding has the node collect garbage and tells what is left.
func (d *daemon) holding(t *testing.T) (h holdings) {
	t.Helper()
	d.profile(t, "heap?gc=1&debug=1")
	for _, m := range memStat.FindAllStringSubmatch(d.profile(t, "heap?gc=1&debug=1"), -1) { // what finalizers and pools let go
		n, err := strconv.ParseUint(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		h.Bytes += n
	}
	h.Goroutines = countOurs(d.profile(t, "goroutine?debug=2"))
	return h
}

// collect has both nodes collect garbage. Nothing else is asked of them: the
// stacks of all goroutines, which holding counts, stand in memory when they are
// written, 13 KiB for each channel of two goroutines at either end.
func (g *gateways) collect(t *testing.T) {
	t.Helper()
	for _, d := range []*daemon{g.near, g.far} {
		d.profile(t, "heap?gc=1")
		d.profile(t, "heap?gc=1") // what finalizers and pools let go
	}
}

// holding is what both nodes hold.
func (g *gateways) holding(t *testing.T) holdings {
	t.Helper()
	near, far := g.near.holding(t), g.far.holding(t)
	return holdings{Bytes: near.Bytes + far.Bytes, Goroutines: near.Goroutines + far.Goroutines}
}
