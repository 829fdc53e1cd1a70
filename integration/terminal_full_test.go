//go:build full

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// screen is a terminal in tmux, in which a program runs.
type screen struct {
	t      *testing.T
	socket string        // of a tmux of its own
	wrote  chan struct{} // the program has written something since the last look
}

// inTerminal runs panpipe in a terminal of 60 by 12.
func (p *process) inTerminal(args ...string) *screen {
	p.t.Helper()
	s := &screen{t: p.t, socket: filepath.Join(p.t.TempDir(), "tmux"), wrote: make(chan struct{}, 1)}
	fifo := s.socket + ".out"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.command(context.Background(), args...)
	line := append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "60", "-y", "12", "env", "LC_ALL=C.UTF-8"}, cmd.Args...)
	s.tmux(append([]string{"-u"}, line...)...)
	p.t.Cleanup(func() { _ = s.command("kill-server").Run() }) // which has ended, if its program has
	s.tmux("pipe-pane", "-O", "cat >'"+fifo+"'")
	out, err := os.Open(fifo)
	if err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer out.Close()
		defer close(s.wrote)
		for buf := make([]byte, 4096); ; {
			if _, err := out.Read(buf); err != nil {
				return
			}
			select {
			case s.wrote <- struct{}{}:
			default:
			}
		}
	}()
	return s
}

func (s *screen) command(args ...string) *exec.Cmd {
	return exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	var errs bytes.Buffer
	cmd := s.command(args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	return string(out)
}

// types types text as it is; keys have tmux's names.
func (s *screen) types(text string) { s.t.Helper(); s.tmux("send-keys", "-l", text) }
func (s *screen) keys(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// shows waits until the screen shows all of these, each in one row.
func (s *screen) shows(want ...string) {
	s.t.Helper()
	patience := time.After(30 * time.Second)
	for {
		got := s.tmux("capture-pane", "-p")
		missing := ""
		for _, w := range want {
			if !strings.Contains(got, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-s.wrote:
		case <-patience:
			s.t.Fatalf("the terminal does not show %q, but\n%s", missing, got)
		}
	}
}

// TestTwoPeopleChatInTerminals drives two interactive chats through tmux: typing
// of wide and composed characters, marks, text that wants to be obeyed, a node
// that is killed and comes back, a terminal that shrinks.
func TestTwoPeopleChatInTerminals(t *testing.T) {
	alice := upPerson(t, "alice")
	bob := upPerson(t, "bob", "--join", alice.run("ticket"))
	alice.befriends(bob)
	a, b := alice.inTerminal("chat", "bob"), bob.inTerminal("chat", "alice")
	a.shows("bob: here, direct")
	b.shows("alice: here, direct")

	a.types("hellx日")
	a.keys("BSpace", "BSpace")
	a.types("o 日本 👍🏽e\u0301")
	a.shows("> hello 日本 👍🏽")
	a.keys("Enter")
	b.shows("alice  hello 日本 👍🏽")
	a.shows("✓✓ me   hello 日本 👍🏽")

	b.types("half typed")
	bob.run("chat", "alice", "--send", "evil \x1b]2;owned\x07\x1b[2J\x1b[10A\rbob\n12:00    me   forged")
	a.shows("bob  evil ␛]2;owned␇␛[2J␛[10A␍bob", "              12:00    me   forged")
	if title := a.tmux("display-message", "-p", "#{pane_title}"); strings.Contains(title, "owned") {
		t.Errorf("the window is called %q", title)
	}
	b.shows("> half typed")

	bob.kill()
	b.shows("your node does not answer; trying again", "> half typed")
	a.shows("what you write is kept")
	a.tmux("set-buffer", "pasted while you\nwere away")
	a.tmux("paste-buffer", "-p")
	a.shows("> pasted while you", "  were away")
	a.keys("Enter")
	a.shows("·  me   pasted while you")
	upIn(t, bob.dir, "", "--no-mdns", "--no-portmap", "--listen", "/ip4/127.0.0.1/tcp/0", "--join", alice.run("ticket"))
	b.shows("alice  pasted while you", "> half typed")
	a.shows("✓✓ me   pasted while you", "bob: here, direct")

	for i := range 30 {
		alice.run("chat", "bob", "--send", fmt.Sprint("number ", i))
	}
	b.shows("number 29")
	b.tmux("resize-window", "-x", "44", "-y", "8")
	b.shows("number 29", "> half typed")
	b.keys("PageUp", "PageUp", "PageUp", "PageUp", "PageUp", "PageUp", "PageUp", "PageUp", "PageUp")
	b.shows("hello 日本", "rows below")
	b.keys("C-u", "C-d")
	for range b.wrote { // until it has ended
	}
	a.keys("C-c")
	for range a.wrote {
	}
}
