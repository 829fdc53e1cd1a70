package control

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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

	announces bool         // the program announces its end (api.EndHeader)
	announced *atomic.Bool // it has
	told      atomic.Bool  // the far side's end has been passed on
}

// halfConn is a connection whose halves end apart: Unix and TCP.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// hijack answers 101 and takes the socket over.
func hijack(w http.ResponseWriter, r *http.Request, t *tracked) (*rawLocal, error) {
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
		"\r\n" + api.ConnectionHeader + ": " + t.about.ID + "\r\n\r\n")
	if err == nil {
		err = rw.Flush()
	}
	if err != nil {
		conn.Close()
		return nil, errGone()
	}
	conn.SetDeadline(time.Time{})
	l := &rawLocal{
		halfConn: half, ended: make(chan struct{}),
		announces: r.Header.Get(api.EndHeader) == api.EndAnnounced, announced: &t.announced,
	}
	if rw.Reader.Buffered() > 0 {
		l.early = rw.Reader
	}
	return l, nil
}

// Read implements local. It returns io.EOF for an orderly end alone.
func (l *rawLocal) Read(p []byte) (int, error) {
	if l.early != nil {
		if n := l.early.Buffered(); n > 0 {
			return l.early.Read(p[:min(n, len(p))])
		}
		l.early = nil
	}
	n, err := l.halfConn.Read(p)
	if err == io.EOF && !l.orderly() {
		err = errGone()
	}
	return n, err
}

// orderly tells an end of the program's data, which has just been read, from
// the end of the program. One that announces its end is taken at its word. Of
// any other the kernel tells whether it has closed its socket altogether;
// where it cannot tell, since both halves are shut, or the socket is none of
// Unix on Linux, the end is taken for a good one.
func (l *rawLocal) orderly() bool {
	if l.announces || l.announced.Load() {
		return l.announced.Load()
	}
	gone := hungUp(l.halfConn) // before told: shutting the other half looks like it
	return !gone || l.told.Load()
}

// CloseWrite implements local.
func (l *rawLocal) CloseWrite() error {
	l.told.Store(true)
	return l.halfConn.CloseWrite()
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
