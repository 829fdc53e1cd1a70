package control

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxMessage caps one WebSocket message from a program, in bytes.
const maxMessage = 1 << 20

// webLocal is a program on a WebSocket. An empty binary message ends the data
// of the side that sends it. Nothing is pinged: on one machine a program that
// has died has closed its socket, and one that is slow to read must not be
// taken for dead.
type webLocal struct {
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc

	message io.Reader // owned by Read: the rest of the message at hand
	fresh   bool      // owned by Read: nothing of it has been read yet

	end sync.Once
}

// acceptWeb answers a WebSocket handshake. The guard has checked its origin.
func acceptWeb(ctx context.Context, w http.ResponseWriter, r *http.Request) (*webLocal, error) {
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	if t := bearer(r); t != "" && r.Header.Get("Sec-WebSocket-Protocol") != "" {
		o.Subprotocols = []string{tokenProtocol + t}
	}
	ws, err := websocket.Accept(w, r, o)
	if err != nil {
		return nil, errAnswered{err}
	}
	ws.SetReadLimit(maxMessage)
	l := &webLocal{ws: ws}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l, nil
}

// errAnswered is a failure that the client has been told of.
type errAnswered struct{ error }

func (l *webLocal) Read(p []byte) (int, error) {
	for {
		if l.message == nil {
			kind, message, err := l.ws.Reader(l.ctx)
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				l.ws.Close(websocket.StatusUnsupportedData, "text messages carry nothing here")
				return 0, wire.Errorf(wire.BadRequest, "a WebSocket text message where only binary ones carry bytes")
			}
			l.message, l.fresh = message, true
		}
		n, err := l.message.Read(p)
		fresh := l.fresh
		l.fresh = fresh && n == 0
		if err == nil {
			return n, nil
		}
		if err != io.EOF {
			return n, err
		}
		l.message = nil
		if n > 0 {
			return n, nil
		}
		if fresh {
			return 0, io.EOF
		}
	}
}

func (l *webLocal) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := l.ws.Write(l.ctx, websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite implements local.
func (l *webLocal) CloseWrite() error {
	return l.ws.Write(l.ctx, websocket.MessageBinary, nil)
}

// Gone implements local. Pings, pongs and the closing handshake go on; data
// after the end is refused by closing.
func (l *webLocal) Gone() { <-l.ws.CloseRead(l.ctx).Done() }

// End implements local.
func (l *webLocal) End(cause error) {
	l.end.Do(func() {
		if cause == nil {
			l.ws.Close(websocket.StatusNormalClosure, "")
		} else {
			l.ws.Close(websocket.StatusInternalError, wire.CodeOf(cause).String())
		}
		l.cancel()
	})
}
