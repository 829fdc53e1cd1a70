package integration

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// serve answers every connection of l, until l closes, with name, a colon and
// what came in up to its end.
func serve(l net.Listener, name string) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := io.WriteString(c, name+": "); err == nil {
					_, _ = io.Copy(c, c)
				}
			}()
		}
	}()
}

// bind makes a pipe of n, binds it and serves it under name.
func bind(t *testing.T, n *node.Node, name string, o pipe.CreateOptions) (pipe.ID, *pipe.Listener) {
	t.Helper()
	p, err := n.CreatePipe(t.Context(), name, o)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return p.ID, bindID(t, n, p.ID, name, pipe.ListenOptions{})
}

// bindID binds an existing pipe to n and serves it under name.
func bindID(t *testing.T, n *node.Node, id pipe.ID, name string, o pipe.ListenOptions) *pipe.Listener {
	t.Helper()
	l, err := n.Pipes().Listen(t.Context(), id, o)
	if err != nil {
		t.Fatalf("listen as %s: %v", name, err)
	}
	serve(l, name)
	return l
}

// grantBind lets node to bind a pipe of owner.
func grantBind(t *testing.T, owner, to *node.Node, id pipe.ID) (envelope []byte) {
	t.Helper()
	text, _, err := owner.Pipes().Grant(t.Context(), id, pipe.GrantOptions{Right: identity.RightBind, To: to.Principal()})
	if err != nil {
		t.Fatalf("grant: %v", err)
	}
	envelope, _, err = identity.ParseCapability(text)
	if err != nil {
		t.Fatalf("granted capability: %v", err)
	}
	return envelope
}

// ask dials a pipe from n, says hello and returns the name of who answers.
func ask(t *testing.T, n *node.Node, id pipe.ID, o pipe.DialOptions) string {
	t.Helper()
	c, err := n.Pipes().Dial(t.Context(), id, o)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer func() { _ = c.Close() }()
	return exchange(t, c)
}

// exchange says hello on c and returns the name of who answers.
func exchange(t *testing.T, c *pipe.Conn) string {
	t.Helper()
	const hello = "hello"
	if _, err := io.WriteString(c, hello); err != nil {
		t.Fatalf("write: %v", err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatalf("close of the writing half: %v", err)
	}
	heard, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	name, ok := strings.CutSuffix(string(heard), ": "+hello)
	if !ok {
		t.Fatalf("heard %q, want a name and %q", heard, hello)
	}
	return name
}
