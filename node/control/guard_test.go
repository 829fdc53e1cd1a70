package control

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func pipeListenOptions() pipe.ListenOptions { return pipe.ListenOptions{} }

// tcpClient keeps no connection open.
func tcpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func tcpOf(s *Server) string {
	for _, a := range s.Addrs() {
		if a.Network() == "tcp" {
			return a.String()
		}
	}
	return ""
}

// readTokens reads the two tokens of a file that the server has made.
func readTokens(t testing.TB, file string) (read, write string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		word, token, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "read":
			read = token
		case "write":
			write = token
		}
	}
	return read, write
}

func TestOnlyTheOwnerAndRootAreLetIn(t *testing.T) {
	for uid, ok := range map[int]bool{os.Getuid(): true, 0: true, os.Getuid() + 1: false, 65534: false} {
		if err := allowUser(uid, nil); (err == nil) != ok {
			t.Errorf("user %d: %v", uid, err)
		}
	}
	wantCode(t, allowUser(0, os.ErrInvalid), wire.Forbidden, "cannot tell")
}

func TestSocketIsPrivateAndKnowsItsCaller(t *testing.T) {
	_, s, c := serve(t)
	info, err := os.Stat(socketOf(s))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTokensDecideOnTCP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	n, s, _ := serve(t, func(c *Config) { c.TCP, c.TokenFile = "127.0.0.1:0", file })
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token file: %v, %v", info, err)
	}
	read, write := readTokens(t, file)
	with := func(token string) *client.Client { return client.New(client.Config{TCP: tcpOf(s), Token: token}) }

	_, err := with("").Status(t.Context())
	wantCode(t, err, wire.Forbidden, "no token")
	_, err = with(write[:len(write)-1]).Status(t.Context())
	wantCode(t, err, wire.Forbidden, "no token")
	if _, err := with(read).Status(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = with(read).CreatePipe(t.Context(), api.CreateRequest{Name: "x"})
	wantCode(t, err, wire.Forbidden, "reading only")
	p := createPipe(t, with(write), "x")
	echo(t, n, with(write), p.ID)
}

func TestWebPagesAreKeptOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	_, s, c := serve(t, func(c *Config) { c.TCP, c.TokenFile = "127.0.0.1:0", file })
	_, write := readTokens(t, file)
	createPipe(t, c, "x")
	base := "http://" + tcpOf(s)
	for _, tc := range []struct {
		name, host, origin string
		status             int
	}{
		{"no origin", "", "", 200},
		{"own origin", "", base, 200},
		{"foreign origin", "", "http://example.com", 403},
		{"origin of another port", "", "http://127.0.0.1:1", 403},
		{"null origin", "", "null", 403},
		{"https instead of http", "", "https://" + tcpOf(s), 403},
		{"rebound name", "example.com", "http://example.com", 403},
		{"rebound name, no origin", "example.com", "", 403},
		{"localhost", "localhost", "http://localhost", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, "GET", base+"/v1/status", "")
			r.Header.Set("Authorization", "Bearer "+write)
			if tc.host != "" {
				r.Host = tc.host
			}
			if tc.origin != "" {
				r.Header.Set("Origin", tc.origin)
			}
			if status, _, body := do(t, tcpClient(), r); status != tc.status {
				t.Errorf("got %d %s", status, body)
			}
			_, answer, err := websocket.Dial(t.Context(), base+"/v1/pipes/x/dial", &websocket.DialOptions{
				HTTPClient: tcpClient(), HTTPHeader: http.Header{"Origin": {tc.origin}}, Host: tc.host, Subprotocols: []string{tokenProtocol + write},
			})
			// An allowed page gets as far as to hear that nobody serves the pipe.
			want := map[int]int{200: 404, 403: 403}[tc.status]
			if err == nil || answer == nil || answer.StatusCode != want {
				t.Errorf("WebSocket: %v, %v", answer, err)
			}
		})
	}
}

func TestTCPMustBeLoopback(t *testing.T) {
	n := newFakeNode(t)
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:80", "example.com:80", ":0", "nonsense"} {
		_, err := Start(t.Context(), Config{TCP: address, TokenFile: filepath.Join(t.TempDir(), "t"), Node: n, Pipes: n, Discovery: n})
		wantCode(t, err, wire.BadRequest, "loopback")
	}
}

func TestTokenFileIsReadStrictly(t *testing.T) {
	for name, content := range map[string]string{
		"unknown scope": "admin 0123456789abcdef\n", "short token": "read abc\n", "no token": "write\n", "spaces": "read 0123456789 abcdef\n",
	} {
		if _, err := parseTokens("f", []byte(content)); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("read 0123456789abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := loadTokens(file)
	wantCode(t, err, wire.Forbidden, "can be read by others")
}
