//go:build full

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The second implementation is a JavaScript program in js/ that prints a line
// of JSON for each thing that happened. Here is how tests run it.

// said is one such line; each event has some of the fields.
type said struct {
	raw   string
	Event string `json:"event"`

	// failed
	Code string `json:"code"`
	Why  string `json:"why"`

	// vectors
	Checked map[string]int `json:"checked"`

	// joined
	Peer    string   `json:"peer"`
	Mode    string   `json:"mode"`
	Servers []string `json:"servers"`
	Kad     []string `json:"kad"`
	Walked  []string `json:"walked"`

	// resolved
	Asked      int        `json:"asked"`
	Refused    []string   `json:"refused"`
	Advertised bool       `json:"advertised"`
	Binders    []jsBinder `json:"binders"`

	// connected, accepted
	Binder    string `json:"binder"`
	Term      string `json:"term"`
	Transport string `json:"transport"`
	From      string `json:"from"`

	// heard
	Length int    `json:"length"`
	SHA256 string `json:"sha256"`
	Begins string `json:"begins"`

	// bound, renewed, granted, replaced, revoked and withdrawn
	ID        string          `json:"id"`
	Seq       string          `json:"seq"`
	Endpoints []string        `json:"endpoints"`
	Cap       string          `json:"cap"`
	By        string          `json:"by"`
	Holders   json.RawMessage `json:"holders"` // bound: their peer IDs; else how many
}

type jsBinder struct {
	Binder        string   `json:"binder"`
	Term          string   `json:"term"`
	Seq           string   `json:"seq"`
	Life          string   `json:"life"`
	Authoritative bool     `json:"authoritative"`
	Endpoints     []string `json:"endpoints"`
	Proven        []string `json:"proven"`
}

// program is the JavaScript program, running.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan said
	errors bytes.Buffer
}

// js starts the program with the Node that package-lock.json pins.
func js(t *testing.T, args ...string) *program {
	t.Helper()
	const node = "js/node_modules/.bin/node"
	if _, err := os.Stat(node); err != nil {
		t.Fatalf("%v: run npm ci in integration/js; make test-full does", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p := &program{t: t, cmd: exec.CommandContext(ctx, node, append([]string{"js/main.js"}, args...)...), lines: make(chan said, 64)}
	p.cmd.Stderr = &p.errors
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line said
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				line = said{Event: "nonsense"}
			}
			line.raw = lines.Text()
			p.lines <- line
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range p.lines { // until its output has ended
		}
		p.cmd.Wait()
		if t.Failed() && p.errors.Len() > 0 {
			t.Logf("%s printed on standard error:\n%s", strings.Join(p.cmd.Args, " "), &p.errors)
		}
	})
	return p
}

// next waits for the next line that is of one of the events; others fail the
// test, but for renewals, which come when they come.
func (p *program) next(event string) said {
	p.t.Helper()
	for line := range p.lines {
		p.t.Logf("%s JavaScript: %s", time.Now().Format("05.000"), line.raw)
		if line.Event == event {
			return line
		}
		if line.Event != "renewed" {
			p.t.Fatalf("JavaScript says %s, want %q", line.raw, event)
		}
	}
	p.t.Fatalf("JavaScript has ended without %q\n%s", event, &p.errors)
	return said{}
}

// last waits for the program's end and returns the last line.
func (p *program) last() (last said) {
	p.t.Helper()
	for last = range p.lines {
	}
	return last
}

// say types a line.
func (p *program) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// end ends its standard input.
func (p *program) end() { p.stdin.Close() }

// heldBy counts holders.
func (s said) heldBy(t *testing.T) int {
	t.Helper()
	var peers []string
	if json.Unmarshal(s.Holders, &peers) == nil {
		return len(peers)
	}
	var n int
	if err := json.Unmarshal(s.Holders, &n); err != nil {
		t.Fatalf("%s: holders: %v", s.Event, err)
	}
	return n
}
