//go:build figures

package integration

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// tester is what the harness needs of a test.
type tester = testing.TB

// childAt begins the line in which a child says where it is reached.
const childAt = "child at"

// startChild runs a test of this binary in a process of its own, with a role
// given by env, until the test that starts it ends. It returns where the child
// is, as that said, and its process ID.
func startChild(t tester, test, env string) (at string, pid int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run", "^"+test+"$", "-test.timeout", "1h")
	child.Env = append(os.Environ(), env)
	child.Stderr = os.Stderr
	leave, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leave.Close()
		_, _ = io.Copy(io.Discard, out) // up to its end
		if err := child.Wait(); err != nil {
			t.Errorf("the child %s: %v", env, err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), childAt+" "); ok {
			return at, child.Process.Pid
		}
	}
	t.Fatalf("the child %s said not where it is: %v", env, lines.Err())
	return "", 0
}

// awaitParent keeps a child until its parent's test has ended.
func awaitParent() { _, _ = io.Copy(io.Discard, os.Stdin) } // whatever ends it

// acceptAll serves each connection on a goroutine of its own, until the listener
// is closed.
func acceptAll(l net.Listener, serve func(*net.TCPConn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c.(*net.TCPConn))
	}
}
