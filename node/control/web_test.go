package control

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// web dials a pipe by WebSocket.
func web(t *testing.T, s *Server, path string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	return websocket.Dial(t.Context(), "http://panpipe"+path, &websocket.DialOptions{HTTPClient: httpClient(socketOf(s))})
}

func TestWebSocketCarriesBytesAndHalfClose(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) {
		all, err := io.ReadAll(far)
		if err == nil {
			far.Write(bytes.ToUpper(all))
		}
		far.CloseWrite()
	})
	ws, answer, err := web(t, s, "/v1/pipes/x/dial?wait=1s")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	for _, m := range []string{"pan", "pipe", ""} {
		if err := ws.Write(t.Context(), websocket.MessageBinary, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	for {
		kind, m, err := ws.Read(t.Context())
		if err != nil || kind != websocket.MessageBinary {
			t.Fatal(kind, err)
		}
		if len(m) == 0 {
			break
		}
		got = append(got, m...)
	}
	if string(got) != "PANPIPE" {
		t.Errorf("got %q", got)
	}
	_, _, err = ws.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the end is %v", err)
	}
	about, err := c.Connection(t.Context(), answer.Header.Get(api.ConnectionHeader))
	if err != nil || about.State != api.ConnectionEnded || about.Sent != 7 || about.Received != 7 {
		t.Errorf("%+v, %v", about, err)
	}
}

func TestWebSocketIsToldOfACut(t *testing.T) {
	n, s, c := serve(t)
	p := createPipe(t, c, "x")
	serveOnce(t, n, p.ID, func(far fakeConn) { far.Reset() })
	ws, _, err := web(t, s, "/v1/pipes/x/dial")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	_, _, err = ws.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusInternalError {
		t.Errorf("got %v", err)
	}
}

func TestWebSocketMessagesAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		kind   websocket.MessageType
		data   []byte
		status websocket.StatusCode
	}{
		"text":      {websocket.MessageText, []byte("hello"), websocket.StatusUnsupportedData},
		"too large": {websocket.MessageBinary, make([]byte, maxMessage+1), websocket.StatusMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			n, s, c := serve(t)
			p := createPipe(t, c, "x")
			serveOnce(t, n, p.ID, func(far fakeConn) { io.Copy(io.Discard, far) })
			ws, _, err := web(t, s, "/v1/pipes/x/dial")
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			// The answer may come before all is written.
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				ws.Write(t.Context(), tc.kind, tc.data)
			}()
			_, _, err = ws.Read(t.Context())
			if websocket.CloseStatus(err) != tc.status {
				t.Errorf("got %v", err)
			}
			<-wrote
		})
	}
}

func TestFailedDialAnswersAProblemToEveryUpgrade(t *testing.T) {
	_, s, c := serve(t)
	createPipe(t, c, "x")
	_, answer, err := web(t, s, "/v1/pipes/x/dial")
	if err == nil || answer == nil || answer.StatusCode != http.StatusNotFound || answer.Header.Get("Content-Type") != api.ProblemType {
		t.Errorf("%v, %v", answer, err)
	}
	r := request(t, "GET", "http://panpipe/v1/pipes/x/dial", "")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "h2c")
	status, _, body := do(t, httpClient(socketOf(s)), r)
	if status != http.StatusBadRequest || !strings.Contains(string(body), "WebSocket") {
		t.Errorf("%d %s", status, body)
	}
}
