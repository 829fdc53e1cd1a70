package control

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// rawLocal is a program on an upgraded socket.
type rawLocal struct {
	halfConn
	early *bufio.Reader // what came with the request; nil when read
	end   sync.Once
	ended chan struct{}
}

// halfConn is a connection whose halves end apart: Unix and TCP.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// hijack answers 101 and takes the socket over.
func hijack(w http.ResponseWriter, id string) (*rawLocal, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "cannot upgrade the connection: %w", err)
	}
	half, ok := conn.(halfConn)
	if !ok {
		conn.Close()
		return nil, wire.Errorf(wire.Internal, "cannot upgrade a connection of type %T", conn)
	}
	conn.SetDeadline(time.Now().Add(writeTimeout))
	_, err = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + api.UpgradeProtocol +
		"\r\n" + api.ConnectionHeader + ": " + id + "\r\n\r\n")
	if err == nil {
		err = rw.Flush()
	}
	if err != nil {
		conn.Close()
		return nil, errGone()
	}
	conn.SetDeadline(time.Time{})
	l := &rawLocal{halfConn: half, ended: make(chan struct{})}
	if rw.Reader.Buffered() > 0 {
		l.early = rw.Reader
	}
	return l, nil
}

func (l *rawLocal) Read(p []byte) (int, error) {
	if l.early != nil {
		if n := l.early.Buffered(); n > 0 {
			return l.early.Read(p[:min(n, len(p))])
		}
		l.early = nil
	}
	return l.halfConn.Read(p)
}

// Gone implements local.
func (l *rawLocal) Gone() { waitHangup(l.halfConn, l.ended) }

// End implements local.
func (l *rawLocal) End(error) {
	l.end.Do(func() {
		close(l.ended)
		l.halfConn.Close()
	})
}
