//go:build full

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/lab"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// These tests need foreign parts: root, network namespaces, Python. They are
// part of `make test-full`, which installs what is missing. Nothing here skips.

// binary is the panpipe under test.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PANPIPE_BIN")
	if path == "" {
		t.Fatal("PANPIPE_BIN must name the panpipe binary; make test-full does")
	}
	return path
}

// process is one `panpipe up`, in a network namespace of its own if netns is set.
type process struct {
	t       *testing.T
	bin     string
	netns   string
	dir     string
	daemon  *exec.Cmd
	log     *bytes.Buffer
	serving chan struct{} // closed when the API is up, or when it never will be
	ended   chan struct{} // closed when it says nothing any more
	killed  bool          // by the test
}

func up(t *testing.T, netns string, args ...string) *process {
	t.Helper()
	return upIn(t, t.TempDir(), netns, args...)
}

// upIn is up with the folder of a node that was up before.
func upIn(t *testing.T, dir, netns string, args ...string) *process {
	t.Helper()
	p := &process{t: t, bin: binary(t), netns: netns, dir: dir, log: new(bytes.Buffer), serving: make(chan struct{}), ended: make(chan struct{})}
	p.daemon = p.command(context.Background(), append([]string{"up", "--json"}, args...)...)
	p.daemon.Stderr = p.log
	said, err := p.daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		var once sync.Once
		defer once.Do(func() { close(p.serving) })
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if strings.Contains(lines.Text(), `"event":"listening"`) {
				once.Do(func() { close(p.serving) })
			}
		}
	}()
	t.Cleanup(func() {
		p.daemon.Process.Signal(syscall.SIGTERM)
		<-p.ended
		if err := p.daemon.Wait(); err != nil && !p.killed {
			t.Errorf("panpipe up: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the node in %q:\n%s", netns, p.log)
		}
	})
	return p
}

// kill ends the daemon without letting it say a word.
func (p *process) kill() {
	p.killed = true
	p.daemon.Process.Kill()
	<-p.ended
}

func (p *process) socket() string { return filepath.Join(p.dir, "api.sock") }

func (p *process) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--socket", p.socket())
	cmd := exec.CommandContext(ctx, p.bin, args...)
	if p.netns != "" {
		cmd = exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", p.netns, p.bin}, args...)...)
	}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PANPIPE_") })
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+p.dir+"/state", "XDG_CONFIG_HOME="+p.dir+"/config", "XDG_RUNTIME_DIR="+p.dir)
	return cmd
}

// run types a command and returns what it printed.
func (p *process) run(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := p.command(ctx, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("panpipe %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	return strings.TrimSpace(string(out))
}

// until follows the node's event stream until a status is as wanted.
func (p *process) until(what string, want func(api.Status) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case <-p.serving:
	case <-ctx.Done():
		p.t.Fatalf("%s: the API does not come up\n%s", what, p.log)
	}
	c := client.New(client.Config{Socket: p.socket()})
	status, err := c.Status(ctx)
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	if want(status) {
		return
	}
	for e, err := range c.Events(ctx, 1) { // from the first event on, so that none is missed
		if err != nil {
			p.t.Fatalf("%s: %v\n%s", what, err, p.log)
		}
		if e.Status != nil && want(*e.Status) {
			return
		}
	}
	p.t.Fatalf("%s: not within a minute\n%s", what, p.log)
}

func ready(status api.Status) bool { return status.Ready }

// sh runs a command that prepares the ground.
func sh(t *testing.T, line string) {
	t.Helper()
	args := strings.Fields(line)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

func TestTwoNodesOnALanFindEachOtherByMDNS(t *testing.T) {
	lan := lab.New(t).LAN("192.168.77.0/24")
	one := up(t, lan.Host("a").Name, "--no-portmap")
	two := up(t, lan.Host("b").Name, "--no-portmap")
	for _, p := range []*process{one, two} {
		p.until("the other node is found by mDNS", func(s api.Status) bool { return s.Ready && s.Servers >= 1 })
	}
	two.run("pipe", "create", "greeting")
	id := pipeID(t, two)
	serve := two.command(context.Background(), "pipe", "listen", "greeting")
	serve.Stdin = strings.NewReader("hello over the cable\n")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	if got := one.run("pipe", "dial", id, "--wait", "30s"); got != "hello over the cable" {
		t.Errorf("read %q", got)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("pipe listen: %v", err)
	}
}

func pipeID(t *testing.T, p *process) string {
	t.Helper()
	var list struct {
		Pipes []struct{ ID string } `json:"pipes"`
	}
	if err := json.Unmarshal([]byte(p.run("pipe", "ls", "--json")), &list); err != nil || len(list.Pipes) == 0 {
		t.Fatalf("pipe ls --json: %v %v", list, err)
	}
	return list.Pipes[0].ID
}

// TestQuickStartInPython runs the README's example for an app in another
// language as it stands there.
func TestQuickStartInPython(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```python\n")
	if !ok {
		t.Fatal("README.md has no Python example")
	}
	program, _, _ := strings.Cut(rest, "```")
	server := up(t, "", "--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0")
	server.until("ready", ready)
	app := up(t, "", "--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0", "--join", server.run("ticket"))
	app.until("ready", ready)
	server.run("pipe", "create", "greeting")
	serve := server.command(context.Background(), "pipe", "listen", "greeting")
	serve.Stdin = strings.NewReader("hello, Python\n")
	var heard bytes.Buffer
	serve.Stdout = &heard
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	python := exec.CommandContext(ctx, "python3", "-c", program, app.socket(), pipeID(t, server))
	out, err := python.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := string(out); got != "hello, Python\n" {
		t.Errorf("Python read %q", got)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("pipe listen: %v", err)
	}
	if heard.String() == "" {
		t.Error("the far side heard nothing from Python")
	}
}

// TestFullDiskIsToldAndNothingIsLost gives a node a state folder on a small
// disk of its own and fills that up.
func TestFullDiskIsToldAndNothingIsLost(t *testing.T) {
	disk := t.TempDir()
	sh(t, "mount -t tmpfs -o size=1m tmpfs "+disk)
	t.Cleanup(func() { sh(t, "umount "+disk) }) // after the node has left
	p := up(t, "", "--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0", "--state-dir", disk+"/state")
	p.until("ready", ready)
	p.run("pipe", "create", "before")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	created := []string{"before"}
	for i := range 500 { // the store has some room in its own files yet
		name := fmt.Sprintf("during%d", i)
		out, err := p.command(ctx, "pipe", "create", name).CombinedOutput()
		if err == nil {
			created = append(created, name)
			continue
		}
		if !strings.Contains(string(out), "full") || !strings.Contains(string(out), "next:") {
			t.Errorf("on a full disk panpipe says %q", out)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		p.run("pipe", "create", "after")
		have := p.run("pipe", "ls")
		for _, name := range append(created, "after") {
			if !strings.Contains(have, name) {
				t.Errorf("pipe %s is lost:\n%s", name, have)
			}
		}
		return
	}
	t.Fatal("the disk never was full")
}
