package control

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestLiveSocketIsNotReplaced(t *testing.T) {
	n, s, c := serve(t)
	_, err := Start(t.Context(), Config{Socket: socketOf(s), Node: n, Pipes: n, Discovery: n})
	wantCode(t, err, wire.Taken, "another node")
	if wire.NextOf(err) == "" {
		t.Error("it is not said what to do next")
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	_, _, c := serve(t, func(c *Config) { c.Socket = path })
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFileAtTheSocketsPathStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newFakeNode(t)
	_, err := Start(t.Context(), Config{Socket: path, Node: n, Pipes: n, Discovery: n})
	wantCode(t, err, wire.Taken, "not a socket")
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestLongSocketPathIsRefused(t *testing.T) {
	n := newFakeNode(t)
	_, err := Start(t.Context(), Config{Socket: "/" + strings.Repeat("x", 200), Node: n, Pipes: n, Discovery: n})
	wantCode(t, err, wire.BadRequest, "at most")
}

func TestCloseRemovesTheSocketAndMayBeRepeated(t *testing.T) {
	n := newFakeNode(t)
	path := filepath.Join(t.TempDir(), "api.sock")
	s, err := Start(t.Context(), Config{Socket: path, Node: n, Pipes: n, Discovery: n})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	_, err = client.New(client.Config{Socket: path}).Status(t.Context())
	wantCode(t, err, wire.NotReady, "no node is running")
}

func TestConfigIsChecked(t *testing.T) {
	n := newFakeNode(t)
	for name, c := range map[string]Config{
		"nothing": {}, "no place": {Node: n, Pipes: n, Discovery: n}, "no tokens": {Node: n, Pipes: n, Discovery: n, TCP: "127.0.0.1:0"},
	} {
		if _, err := Start(t.Context(), c); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
