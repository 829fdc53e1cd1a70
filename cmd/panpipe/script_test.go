package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/panpipe-net/panpipe/node/control/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"panpipe": main})
}

// TestScripts runs the command line as people do, against real nodes on
// loopback. Beside testscript's own commands there are:
//
//	up NAME [ARG…]          starts a node of profile NAME and waits until it is ready;
//	                        sets $NAME_ticket, $NAME_peer and $NAME_addr
//	up -alone NAME [ARG…]   the same, but waits only until it listens
//	down NAME               has it leave, which must go well
//	crash NAME              kills it
//	exits CODE ARG…         runs panpipe, which must exit with CODE
//	keep NAME               sets $NAME to what the last command printed
//	bigfile FILE            makes a file of a few MB
//	waitfor NAME EVENT      waits for an event at a node
//	waitlost NAME           waits until a node has lost all servers of its overlay
//	waitpeer NAME PEER      waits until a node is connected to a peer
//	start [-flood|-keep] NAME ARG…    runs panpipe beside the script, with an input that
//	                        is empty, or never ends; -keep keeps what it writes
//	wrote NAME PATTERN      waits until it has written a line that matches
//	flows NAME              waits until it has written a few MB
//	slay NAME RECEIVER      kills it once RECEIVER has written as much
//	halt NAME               interrupts it
//	ended NAME CODE PATTERN waits for its end, exit code and words on stderr
//	offered NAME CODE TICKET  waits for what an account link shows, and sets these to it
//	holdport NAME           takes a TCP port of loopback and sets $NAME to it
//	webserver NAME          serves plain HTTP on loopback and sets $NAME to its port;
//	                        the answer to /hello is a line
//	accountof NAME VARIABLE sets $VARIABLE to the ID of a node's account
//	waitpresence NAME BUDDY PRESENCE  waits until a node sees a buddy so
//	get URL [PROXY]         fetches with Go's client, which must succeed; ! get must not
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Values[programsContext{}] = map[string]*program{}
			env.Values[nodesKey] = &nodes{running: map[string]*exec.Cmd{}}
			for _, v := range []struct{ name, dir string }{
				{"XDG_RUNTIME_DIR", "run"}, {"XDG_STATE_HOME", "state"}, {"XDG_CONFIG_HOME", "config"}, {"HOME", "home"},
			} {
				dir := filepath.Join(env.WorkDir, v.dir)
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
				env.Setenv(v.name, dir)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"up": cmdUp, "down": cmdDown, "crash": cmdCrash, "exits": cmdExits, "keep": cmdKeep, "holdport": cmdHoldPort,
			"bigfile": cmdBigFile, "waitfor": cmdWaitFor,
			"start": cmdStart, "flows": cmdFlows, "slay": cmdSlay, "halt": cmdHalt, "ended": cmdEnded, "says": cmdSays,
			"wrote": cmdWrote, "webserver": cmdWebServer, "get": cmdGet, "offered": cmdOffered, "waitlost": cmdWaitLost, "waitpeer": cmdWaitPeer,
			"accountof": cmdAccountOf, "waitpresence": cmdWaitPresence,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type nodesContext struct{}

var nodesKey = nodesContext{}

// nodes are the daemons of one script.
type nodes struct {
	mu      sync.Mutex
	running map[string]*exec.Cmd
}

func nodesOf(ts *testscript.TestScript) *nodes { return ts.Value(nodesKey).(*nodes) }

func cmdUp(ts *testscript.TestScript, neg bool, args []string) {
	until := "ready"
	if len(args) > 0 && args[0] == "-alone" {
		until, args = "ticket", args[1:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: up [-alone] NAME [ARG…]")
	}
	name := args[0]
	all := []string{"up", "--profile", name, "--json", "--no-mdns", "--no-portmap"}
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		all = append(all, "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/tcp/0/ws", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	}
	path, err := exec.LookPath("panpipe")
	ts.Check(err)
	cmd := exec.Command(path, append(all, args[1:]...)...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = scriptEnv(ts)
	cmd.Stderr = &lineLog{ts: ts}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	n := nodesOf(ts)
	n.mu.Lock()
	n.running[name] = cmd
	n.mu.Unlock()
	ts.Defer(func() { n.stop(name, syscall.SIGKILL) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var e upEvent
		ts.Check(json.Unmarshal(lines.Bytes(), &e))
		if e.Peer != "" {
			ts.Setenv(name+"_peer", e.Peer)
			ts.Setenv(name+"_addr", e.Addresses[0])
		}
		if e.Ticket != "" {
			ts.Setenv(name+"_ticket", e.Ticket)
		}
		if e.Event == until {
			return
		}
	}
	ts.Fatalf("node %s ended before it was %s", name, until)
}

// scriptEnv is the environment of the script.
func scriptEnv(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME", "PATH"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// lineLog puts a node's log into that of the test.
type lineLog struct{ ts *testscript.TestScript }

func (l *lineLog) Write(p []byte) (int, error) {
	if testing.Verbose() {
		os.Stderr.Write(p)
	}
	return len(p), nil
}

// stop signals a node and waits for its end.
func (n *nodes) stop(name string, s os.Signal) error {
	n.mu.Lock()
	cmd := n.running[name]
	delete(n.running, name)
	n.mu.Unlock()
	if cmd == nil {
		return errors.New("no node " + name)
	}
	if err := cmd.Process.Signal(s); err != nil {
		return err
	}
	return cmd.Wait()
}

func cmdDown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: down NAME")
	}
	ts.Check(nodesOf(ts).stop(args[0], syscall.SIGTERM))
}

func cmdCrash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: crash NAME")
	}
	var exit *exec.ExitError
	if err := nodesOf(ts).stop(args[0], syscall.SIGKILL); !errors.As(err, &exit) {
		ts.Fatalf("crash: %v", err)
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec("panpipe", args[1:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdKeep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func cmdHoldPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holdport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// Codes and tickets of account link.
var (
	linkCode   = regexp.MustCompile(`[a-z2-7]{4}-[a-z2-7]{4}-[a-z]+-[a-z]+`)
	linkTicket = regexp.MustCompile(`link:[a-z2-7]+`)
)

func cmdOffered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: offered NAME CODE TICKET")
	}
	cmdWrote(ts, false, []string{args[0], linkTicket.String()})
	text := programsOf(ts)[args[0]].kept.String()
	ts.Setenv(args[1], linkCode.FindString(text))
	ts.Setenv(args[2], linkTicket.FindString(text))
}

func cmdWebServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: webserver NAME")
	}
	web := http.NewServeMux()
	web.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the service speaks\n") })
	s := httptest.NewServer(web)
	ts.Defer(s.Close)
	ts.Setenv(args[0], strconv.Itoa(s.Listener.Addr().(*net.TCPAddr).Port))
}

func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: get URL [PROXY]")
	}
	t := &http.Transport{DisableKeepAlives: true}
	if len(args) == 2 {
		via, err := url.Parse(args[1])
		ts.Check(err)
		t.Proxy = http.ProxyURL(via)
	}
	answer, err := (&http.Client{Transport: t, Timeout: 20 * time.Second}).Get(args[0])
	if (err != nil) != neg {
		ts.Fatalf("get %s: %v", args[0], err)
	}
	if err != nil {
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if string(body) != "the service speaks\n" {
		ts.Fatalf("get %s: %s %q", args[0], answer.Status, body)
	}
}

func cmdBigFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bigfile FILE")
	}
	b := make([]byte, 5<<20+1)
	rand.NewChaCha8([32]byte{}).Read(b)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// cmdWaitFor waits for an event, one that has been already included.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor NAME EVENT")
	}
	socket := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "panpipe", args[0]+".sock")
	for e, err := range client.New(client.Config{Socket: socket}).Events(context.Background(), 1) {
		ts.Check(err)
		if e.Kind == args[1] {
			return
		}
	}
}
