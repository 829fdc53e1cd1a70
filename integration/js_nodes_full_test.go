//go:build full

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// overlayOfThree starts three nodes of one overlay on loopback, with TCP and
// WebSocket; the ticket leads to the first.
func overlayOfThree(t *testing.T) (nodes [3]*process, ticket string) {
	t.Helper()
	args := []string{"--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/tcp/0/ws"}
	for i := range nodes {
		nodes[i] = up(t, "", args...)
		nodes[i].until("ready", ready)
		if i == 0 {
			ticket = nodes[0].run("ticket")
			args = append(args, "--join", ticket)
		}
	}
	for _, n := range nodes {
		n.until("all three know each other", func(s api.Status) bool { return s.Servers == 2 })
	}
	return nodes, ticket
}

// peerOf is a node's peer ID.
func peerOf(p *process) string {
	p.t.Helper()
	var status api.Status
	if err := json.Unmarshal([]byte(p.run("status", "--json")), &status); err != nil {
		p.t.Fatal(err)
	}
	return status.Peer
}

// refused runs a command that must fail, and returns what it says.
func (p *process) refused(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := p.command(ctx, args...).CombinedOutput()
	if err == nil {
		p.t.Errorf("panpipe %s: want a refusal, got %q", strings.Join(args, " "), out)
	}
	return string(out)
}

// serves binds a pipe for one dialer, who hears what is to be said, and returns
// when it is bound. What the dialer said is told after both have ended.
func (p *process) serves(say []byte, args ...string) (heard func() []byte) {
	p.t.Helper()
	cmd := p.command(context.Background(), append([]string{"pipe", "listen", "--json"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stdin = &out, bytes.NewReader(say)
	told, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(told)
	for lines.Scan() && !strings.Contains(lines.Text(), `"event":"bound"`) {
		p.t.Logf("pipe listen: %s", lines.Text())
	}
	p.t.Cleanup(func() { cmd.Process.Kill() })
	return func() []byte {
		for lines.Scan() {
		}
		cmd.Wait()
		return out.Bytes()
	}
}
