//go:build figures

package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

const (
	helpRuns  = 21
	peers     = 8                // of each node whose memory is measured
	idleAfter = 30 * time.Second // without anything to do
	joinTime  = 30 * time.Second // for everybody to know everybody
)

// TestNodeFigures measures processes of the stripped binary on loopback, and
// the cached resolve of a node in this process.
func TestNodeFigures(t *testing.T) {
	report, err := figures.New(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	exe := strippedBinary(t)
	info, err := os.Stat(exe)
	if err != nil {
		t.Fatal(err)
	}
	report.Add("node_binary", float64(info.Size())/(1<<20), "MiB", "-")
	measureHelp(t, report, exe)
	measureDaemons(t, report, exe)
	measureCachedResolve(t, report)
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
}

// strippedBinary is the stripped one that PANPIPE_BIN names, or one made now.
func strippedBinary(t *testing.T) string {
	t.Helper()
	if exe := os.Getenv("PANPIPE_BIN"); exe != "" {
		return exe
	}
	exe := filepath.Join(t.TempDir(), "panpipe")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", exe, "github.com/panpipe-net/panpipe/cmd/panpipe")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

func measureHelp(t *testing.T, report *figures.Report, exe string) {
	var took []float64
	for range helpRuns {
		began := time.Now()
		if out, err := exec.Command(exe, "--help").CombinedOutput(); err != nil {
			t.Fatalf("--help: %v\n%s", err, out)
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	report.Add("node_help_p50", percentile(took, 50), "ms", "<=50")
}

// measureDaemons starts one node and then, one after another, as many as make
// it and each of them have the asked number of peers.
func measureDaemons(t *testing.T, report *figures.Report, exe string) {
	first := startDaemon(t, exe)
	report.Add("node_ready_alone", first.ready.Seconds(), "s", "<=1")
	daemons := []*daemon{first}
	var took []float64
	for range peers {
		d := startDaemon(t, exe, "--join", first.ticket)
		took = append(took, d.ready.Seconds())
		daemons = append(daemons, d)
	}
	report.Add("node_ready_joined_p50", percentile(took, 50), "s", "<=1")
	report.Add("node_ready_joined_max", percentile(took, 100), "s", "<=1")

	for _, d := range daemons {
		d.awaitPeers(t, peers)
	}
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	<-idle.C
	var memory []float64
	for _, d := range daemons {
		memory = append(memory, d.memory(t))
	}
	report.Add("node_rss_eight_peers_p50", percentile(memory, 50), "MiB", "<=64")
	report.Add("node_rss_eight_peers_max", percentile(memory, 100), "MiB", "<=64")
}

// measureCachedResolve resolves over and over what has been resolved once.
func measureCachedResolve(t *testing.T, report *figures.Report) {
	nodes := startNodes(t, 3)
	id, _ := bind(t, nodes[1], "pipe", pipe.CreateOptions{})
	reader := nodes[2].Pipes()
	if _, err := reader.Resolve(t.Context(), id, pipe.ResolveOptions{}); err != nil {
		t.Fatal(err)
	}
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			found, err := reader.Resolve(b.Context(), id, pipe.ResolveOptions{})
			if err != nil || found.Asked > 0 {
				b.Fatalf("not from the cache: %+v, %v", found, err)
			}
		}
	})
	report.Add("node_resolve_cached", float64(result.T.Nanoseconds())/float64(result.N)/1000, "us", "<=5")
}

// daemon is a process of `panpipe up`.
type daemon struct {
	proc   *exec.Cmd
	socket string
	client *client.Client
	ticket string
	ready  time.Duration // from exec to the line that says so
}

// startDaemon returns when the node is ready. The process ends with the test.
func startDaemon(t *testing.T, exe string, args ...string) *daemon {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	args = append([]string{
		"up", "--json", "--quiet", "--no-mdns", "--no-portmap", "--socket", socket,
		"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--listen", "/ip4/127.0.0.1/tcp/0/ws",
	}, args...)
	d := &daemon{proc: exec.Command(exe, args...), socket: socket, client: client.New(client.Config{Socket: socket})}
	d.proc.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PANPIPE_BIN=") }) // no setting of a node
	d.proc.Env = append(d.proc.Env, "HOME="+dir, "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	d.proc.Stderr = os.Stderr
	out, err := d.proc.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := d.proc.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(t) })
	if err := d.awaitReady(out); err != nil {
		t.Fatalf("panpipe up: %v", err)
	}
	d.ready = time.Since(began)
	return d
}

// awaitReady reads what the node prints up to the line that says it is ready.
func (d *daemon) awaitReady(out io.Reader) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var said struct{ Event, Ticket string }
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			return fmt.Errorf("%w in %q", err, lines.Text())
		}
		switch said.Event {
		case "ticket":
			d.ticket = said.Ticket
		case "ready":
			return nil
		}
	}
	return errors.Join(lines.Err(), errors.New("it ended before it was ready"))
}

func (d *daemon) stop(t *testing.T) {
	if err := d.proc.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if err := d.proc.Wait(); err != nil {
		t.Errorf("panpipe up did not leave cleanly: %v", err)
	}
}

// awaitPeers waits until the node is connected to n others.
func (d *daemon) awaitPeers(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), joinTime)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		status, err := d.client.Status(ctx)
		if err != nil {
			t.Fatalf("waiting for %d peers: %v", n, err)
		}
		if status.Peers >= n {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%d peers after %s, want %d", status.Peers, joinTime, n)
		}
	}
}

// memory is the resident set of the process, in MiB, as the kernel tells it.
func (d *daemon) memory(t *testing.T) float64 {
	t.Helper()
	kib, err := residentOf([]int{d.proc.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}
