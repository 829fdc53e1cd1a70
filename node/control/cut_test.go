package control

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// rawDial dials a pipe as a program without the Go client does.
func rawDial(t *testing.T, socket string, header ...string) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := request(t, "GET", "http://panpipe/v1/pipes/x/dial", "")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", api.UpgradeProtocol)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer, err)
	}
	return conn.(*net.UnixConn)
}

// TestProgramThatDiesHasNotEnded: its data must not look whole to the far
// side, whichever half ends first.
func TestProgramThatDiesHasNotEnded(t *testing.T) {
	announced := []string{api.EndHeader, api.EndAnnounced}
	for name, tc := range map[string]struct {
		farFirst bool
		header   []string
	}{
		"program first":  {false, announced},
		"far side first": {true, announced},
		"raw":            {false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.header == nil && runtime.GOOS != "linux" {
				return // the kernel does not tell there, and that is why there are announcements
			}
			n, s, c := serve(t)
			p := createPipe(t, c, "x")
			read := make(chan error, 1)
			serveOnce(t, n, p.ID, func(far fakeConn) {
				if tc.farFirst {
					far.CloseWrite()
				}
				_, err := io.Copy(io.Discard, far)
				read <- err
			})
			conn := rawDial(t, socketOf(s), tc.header...)
			conn.Write([]byte("part of"))
			if tc.farFirst {
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Fatal(err)
				}
			}
			conn.Close() // as the kernel does for a program that is killed
			if err := <-read; err == nil {
				t.Error("the far side took a part for the whole")
			}
		})
	}
}

func TestEndOfARawProgramNeedsNoAnnouncement(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	read := make(chan error, 1)
	serveOnce(t, n, p.ID, func(far fakeConn) {
		all, err := io.ReadAll(far)
		far.Write(all)
		far.CloseWrite()
		read <- err
	})
	conn := rawDial(t, socketOf(s))
	conn.Write([]byte("all of it"))
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "all of it" {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestCloseAfterTheFarEndIsAnEnd(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	read := make(chan error, 1)
	serveOnce(t, n, p.ID, func(far fakeConn) {
		far.CloseWrite()
		got, err := io.ReadAll(far)
		if err == nil && string(got) != "bye" {
			err = io.ErrUnexpectedEOF
		}
		read <- err
	})
	conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("bye"))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestWriterLearnsWhyItWasCut(t *testing.T) {
	n, _, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) { far.Reset() })
	conn, err := c.Dial(t.Context(), "x", api.DialQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<16))
	}
	if about, lost := conn.About(t.Context()); lost != nil || about.Problem == nil || about.Problem.Detail != err.Error() {
		t.Errorf("write fails with %v; the node says %+v, %v", err, about, lost)
	}
}

func TestIncompleteWebSocketHandshakeIsRefusedBeforeTheDial(t *testing.T) {
	n, s, c := serve(t)
	createPipe(t, c, "x")
	for _, path := range []string{"/v1/pipes/x/dial", "/v1/connections/some"} {
		for says, header := range map[string][2]string{
			"Connection":        {"Connection", ""},
			"version":           {"Sec-WebSocket-Version", "12"},
			"Sec-WebSocket-Key": {"Sec-WebSocket-Key", "short"},
		} {
			r := request(t, "GET", "http://panpipe"+path, "")
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Version", "13")
			r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
			r.Header.Set(header[0], header[1])
			status, answer, body := do(t, httpClient(socketOf(s)), r)
			if status != http.StatusBadRequest || answer != api.ProblemType || !strings.Contains(string(body), says) {
				t.Errorf("%s: %d %s", says, status, body)
			}
		}
	}
	if len(n.dialled) != 0 {
		t.Errorf("%d dials", len(n.dialled))
	}
}

func TestRefusedUpgradeClosesTheConnection(t *testing.T) {
	_, s, c := serve(t)
	createPipe(t, c, "x")
	conn, err := net.Dial("unix", socketOf(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /v1/pipes/x/dial HTTP/1.1\r\nHost: panpipe\r\nConnection: Upgrade\r\nUpgrade: panpipe\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "Connection: close") || !strings.Contains(string(answer), wire.Unbound.String()) {
		t.Errorf("%s, %v", answer, err)
	}
}
