package demo

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
	"strings"
	"syscall"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// daemon is one `panpipe up` process with folders of its own.
type daemon struct {
	name   string
	dir    string
	exe    string
	join   []string
	proc   *exec.Cmd
	ended  chan struct{} // closed when proc has been waited for
	client *client.Client
	ident  api.Identity
}

// start runs the daemon and returns when it says that resolving works.
func (d *daemon) start(ctx context.Context) (took time.Duration, err error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	d.proc = exec.Command(d.exe, d.arguments()...)
	d.proc.Env = d.env()
	d.proc.Stderr = log
	said, err := d.proc.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := d.proc.Start(); err != nil {
		return 0, err
	}
	ready := make(chan error, 1)
	d.ended = make(chan struct{})
	go d.watch(said, ready)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return 0, fmt.Errorf("node %s does not come up: %w\n%s", d.name, err, d.lastWords())
	}
	took = time.Since(began)
	d.client = client.New(client.Config{Socket: d.socket()})
	d.ident, err = d.client.ID(ctx)
	return took, err
}

// listenAddrs are where a node listens: on open ports.
func listenAddrs() []string {
	return []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1"}
}

func (d *daemon) arguments() []string {
	args := []string{"up", "--json", "--no-mdns", "--no-portmap", "--socket", d.socket()}
	for _, a := range listenAddrs() {
		args = append(args, "--listen", a)
	}
	for _, j := range d.join {
		args = append(args, "--join", j)
	}
	return args
}

// watch reads what the daemon prints until it ends. ready gets nil at its word
// "ready", or an error when it ends without.
func (d *daemon) watch(said io.Reader, ready chan<- error) {
	defer close(d.ended)
	for lines := bufio.NewScanner(said); lines.Scan(); {
		var line struct{ Event string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Event == "ready" {
			ready <- nil
		}
	}
	err := d.proc.Wait()
	select {
	case ready <- fmt.Errorf("the process ended: %w", errors.Join(err, errors.New(d.proc.ProcessState.String()))):
	default: // nobody waits for it any more
	}
}

// stop ends the daemon as a person would, by SIGTERM, and waits for it.
func (d *daemon) stop() error { return d.end(syscall.SIGTERM) }

// kill ends it as a power cut would.
func (d *daemon) kill() error { return d.end(syscall.SIGKILL) }

func (d *daemon) end(sig os.Signal) error {
	if d.proc == nil || d.proc.Process == nil {
		return nil
	}
	select {
	case <-d.ended:
		return nil
	default:
	}
	if err := d.proc.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(15 * time.Second):
		_ = d.proc.Process.Kill()
		<-d.ended
		return fmt.Errorf("node %s did not leave within 15 s and was killed", d.name)
	}
}

func (d *daemon) socket() string { return filepath.Join(d.dir, "api.sock") }

// env gives the process folders of its own, so that nothing of the user's is
// read or written.
func (d *daemon) env() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "XDG_") && !strings.HasPrefix(kv, "PANPIPE_") {
			env = append(env, kv)
		}
	}
	return append(env,
		"XDG_CONFIG_HOME="+filepath.Join(d.dir, "config"),
		"XDG_STATE_HOME="+filepath.Join(d.dir, "state"),
		"XDG_DATA_HOME="+filepath.Join(d.dir, "data"),
		"XDG_CACHE_HOME="+filepath.Join(d.dir, "cache"),
		"XDG_RUNTIME_DIR="+filepath.Join(d.dir, "run"))
}

// lastWords is the end of the daemon's log.
func (d *daemon) lastWords() string {
	b, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// run calls the command line as a person would type it and returns what it
// printed.
func (d *daemon) run(ctx context.Context, args ...string) (string, error) {
	cmd := d.command(ctx, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("panpipe %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

func (d *daemon) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.exe, append(args, "--socket", d.socket())...)
	cmd.Env = d.env()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
