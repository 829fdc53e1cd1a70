//go:build full

package integration

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// upPerson is up with an account.
func upPerson(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := up(t, "", append([]string{"--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"}, args...)...)
	p.until("ready", ready)
	pass := filepath.Join(p.dir, "passphrase")
	if err := os.WriteFile(pass, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("account", "new", "--name", name, "--recovery", filepath.Join(p.dir, "recovery"), "--passphrase-file", pass)
	return p
}

func (p *process) client() *client.Client { return client.New(client.Config{Socket: p.socket()}) }

// account is the ID of the node's account.
func (p *process) account() string {
	p.t.Helper()
	a, err := p.client().Account(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return a.ID
}

// befriends has p ask and q accept.
func (p *process) befriends(q *process) {
	p.t.Helper()
	asked, accepted := q.now(), p.now()
	p.run("buddy", "add", q.account())
	q.event(asked, "a request", func(e api.Event) bool { return e.Kind == api.EventRequest })
	q.run("buddy", "accept", p.account())
	p.event(accepted, "an acceptance", isBuddy)
}

// isBuddy tells of somebody who has accepted, and said who it is.
func isBuddy(e api.Event) bool {
	return e.Buddy != nil && e.Buddy.State == api.BuddyAccepted && e.Buddy.Name != ""
}

// now is the node's last event.
func (p *process) now() uint64 {
	p.t.Helper()
	st, err := p.client().Status(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return st.Event
}

// event waits for an event after since. A request that finds nobody, since a new
// account is not to be found yet, is told a minute later.
func (p *process) event(since uint64, what string, is func(api.Event) bool) api.Event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	for e, err := range p.client().Events(ctx, since) {
		if err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		if is(e) {
			return e
		}
	}
	return api.Event{}
}

// TestPythonChatsThroughTheLocalAPI: a program that knows the local API alone
// takes a request and answers messages.
func TestPythonChatsThroughTheLocalAPI(t *testing.T) {
	bob := upPerson(t, "bob")
	alice := upPerson(t, "alice", "--join", bob.run("ticket"))
	bot := exec.CommandContext(t.Context(), "python3", "py/chatbot.py", bob.socket())
	bot.Stderr = os.Stderr
	said, err := bot.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		bot.Process.Kill()
		bot.Wait() // tells of the signal
	})
	lines := bufio.NewScanner(said)
	hears := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the bot says %q, want %q", lines.Text(), want)
		}
	}
	hears("ready")
	since := alice.now()
	alice.run("buddy", "add", bob.account())
	hears("accepted " + alice.account())
	alice.event(since, "an acceptance", isBuddy)
	for _, text := range []string{"hello", "grüße\n日本 \x1b[31m \"'"} {
		since := alice.now()
		alice.run("chat", "bob", "--send", text, "--wait", "30s")
		e := alice.event(since, "an answer", func(e api.Event) bool { return e.Kind == api.EventMessage && !e.Message.Mine })
		if want := "you said: " + text; e.Message.Text != want {
			t.Errorf("the bot answers %q, want %q", e.Message.Text, want)
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "answered ") {
			t.Errorf("the bot says %q", lines.Text())
		}
	}
}
