package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// refused starts a node that must not start.
func refused(t *testing.T, cfg Config, code wire.Code, words ...string) {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	if err == nil {
		n.Close()
		t.Errorf("started with %+v", cfg)
		return
	}
	if wire.CodeOf(err) != code {
		t.Errorf("code %v, want %v: %v", wire.CodeOf(err), code, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error()+" "+wire.NextOf(err), w) {
			t.Errorf("error %q, next %q: want %q", err, wire.NextOf(err), w)
		}
	}
}

func TestPortInUseNamesTheAddressAndWhatToDo(t *testing.T) {
	first := start(t, local("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"))
	for _, a := range first.Addrs() {
		refused(t, local("/ip4/127.0.0.1/tcp/0", a.String()), wire.Taken, a.String(), "another port")
		refused(t, local(a.String()+map[bool]string{true: "/ws"}[strings.Contains(a.String(), "tcp")]), wire.Taken)
	}
}

func TestListenAddressThatCannotBeHadIsAnError(t *testing.T) {
	for address, code := range map[string]wire.Code{
		"nonsense":                       wire.BadRequest,
		"/ip4/127.0.0.1":                 wire.Unsupported,
		"/ip4/127.0.0.1/udp/0":           wire.Unsupported,
		"/ip4/203.0.113.7/tcp/0":         wire.BadRequest,
		"/ip4/203.0.113.7/udp/0/quic-v1": wire.BadRequest,
		"/memory/7":                      wire.Unsupported,
	} {
		refused(t, local("/ip4/127.0.0.1/tcp/0", address), code, address)
	}
	cfg := local("/ip4/127.0.0.1/tcp/0/ws")
	cfg.Transports = []string{"quic-v1"}
	refused(t, cfg, wire.Unsupported, "/ip4/127.0.0.1/tcp/0/ws")
}

func TestAddressesOfOneIPShareItsPorts(t *testing.T) {
	ports := map[string]bool{}
	addrs := start(t, local()).Addrs()
	for _, a := range addrs {
		ports[a[1].String()] = true
	}
	if len(addrs) != 5 || len(ports) != 2 {
		t.Errorf("ports %v of %v", ports, addrs)
	}
}

func TestNodeThatOnlyDialsHasNoAddress(t *testing.T) {
	cfg := local()
	cfg.NoListen = true
	if addrs := start(t, cfg).Addrs(); len(addrs) != 0 {
		t.Errorf("addresses %v", addrs)
	}
}

func TestConfigThatMeansNothingIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"role":           func(c *Config) { c.Role = "king" },
		"overlay":        func(c *Config) { c.Overlay = "a/b" },
		"transport":      func(c *Config) { c.Transports = []string{"pigeon"} },
		"few":            func(c *Config) { c.MaxConnections = 1 },
		"negative":       func(c *Config) { c.Limits.Streams = -1 },
		"negative relay": func(c *Config) { c.Relay.MaxData = -1 },
		"join":           func(c *Config) { c.Join = []string{"/ip4/127.0.0.1/tcp/1"} },
		"join nonsense":  func(c *Config) { c.Join = []string{"ticket:abc"} },
		"foreign ticket": func(c *Config) {
			c.Join = []string{identity.Ticket{Overlay: "elsewhere", Peers: nil}.String()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := local()
			change(&cfg)
			refused(t, cfg, wire.BadRequest)
		})
	}
}

func TestRestartedNodeIsTheSame(t *testing.T) {
	cfg := local()
	cfg.StateDir = filepath.Join(t.TempDir(), "made", "by", "start")
	n := start(t, cfg)
	id := n.ID()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := start(t, cfg).ID(); got != id {
		t.Errorf("ID %s became %s", id, got)
	}
	for _, name := range []string{KeyFile, store.FileName, LockFile} {
		st, err := os.Stat(filepath.Join(cfg.StateDir, name))
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

func TestSecondNodeOnAStateDirectoryIsTold(t *testing.T) {
	cfg := local()
	cfg.StateDir = t.TempDir()
	first := start(t, cfg)
	refused(t, cfg, wire.Taken, cfg.StateDir, fmt.Sprintf("process %d", os.Getpid()), "another profile")
	first.Close()
	start(t, cfg)
}

func TestDamagedKeyIsReportedAndLeftAsItIs(t *testing.T) {
	cfg := local()
	cfg.StateDir = t.TempDir()
	start(t, cfg).Close()
	path := filepath.Join(cfg.StateDir, KeyFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	bad := map[string][]byte{"empty": {}, "text": []byte("hello"), "longer": append(bytes.Clone(good), 0), "huge": make([]byte, 1<<20)}
	for i := range good {
		bad[fmt.Sprintf("prefix %d", i)] = good[:i]
		bad[fmt.Sprintf("bit in byte %d", i)] = flip(i)
	}
	for name, b := range bad {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadKey(cfg.StateDir)
		if wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), path) || wire.NextOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
			t.Errorf("%s: the file has changed", name)
		}
	}
	refused(t, cfg, wire.Internal, path)
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestKeyThatOthersCanReadIsRefused(t *testing.T) {
	cfg := local()
	cfg.StateDir = t.TempDir()
	start(t, cfg).Close()
	path := filepath.Join(cfg.StateDir, KeyFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, wire.Forbidden, path, "chmod 600")
}

func TestDamagedStoreIsReported(t *testing.T) {
	cfg := local()
	cfg.StateDir = t.TempDir()
	path := filepath.Join(cfg.StateDir, store.FileName)
	if err := os.WriteFile(path, []byte("this is not a database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, wire.Internal, path, "damaged")
}

func FuzzKeyFile(f *testing.F) {
	dir := f.TempDir()
	if _, err := loadKey(dir); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:36])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := parseKey("key", b)
		if err != nil && wire.CodeOf(err) != wire.Internal {
			t.Errorf("%v", err)
		}
		if err == nil && key == nil {
			t.Error("neither key nor error")
		}
	})
}
