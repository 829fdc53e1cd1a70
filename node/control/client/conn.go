package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Dial connects to whoever serves a pipe.
func (c *Client) Dial(ctx context.Context, ref string, q api.DialQuery) (*Conn, error) {
	return c.upgrade(ctx, pipeRoute(ref, "/dial"), api.EncodeQuery(q))
}

// Take takes an offered connection. Listener does it by itself.
func (c *Client) Take(ctx context.Context, id string) (*Conn, error) {
	return c.upgrade(ctx, "/connections/"+url.PathEscape(id), nil)
}

// upgrade sends a request on a connection of its own, which carries raw bytes
// after the answer 101.
func (c *Client) upgrade(ctx context.Context, route string, query url.Values) (*Conn, error) {
	r, err := c.request(ctx, http.MethodGet, route, query, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", api.UpgradeProtocol)
	r.Header.Set(api.EndHeader, api.EndAnnounced)
	raw, err := c.connect(ctx)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	half, ok := raw.(halfConn)
	if !ok {
		raw.Close()
		return nil, wire.Errorf(wire.Internal, "a connection of type %T has no halves", raw)
	}
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	conn, err := c.handshake(half, r)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) handshake(half halfConn, r *http.Request) (*Conn, error) {
	if err := r.Write(half); err != nil {
		return nil, c.failed(r.Context(), err)
	}
	in := bufio.NewReader(half)
	answer, err := http.ReadResponse(in, r)
	if err != nil {
		return nil, c.failed(r.Context(), err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		defer answer.Body.Close()
		return nil, problemIn(answer)
	}
	return &Conn{halfConn: half, client: c, id: answer.Header.Get(api.ConnectionHeader), early: in}, nil
}

// halfConn is a connection whose halves end apart: Unix and TCP.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// Conn is a connection of a pipe. It is a net.Conn with half-close. Its
// addresses are those of the local API.
//
// A good end is CloseWrite, Read to io.EOF, Close, and it makes no difference
// which of the first two comes first. Close before Read has returned io.EOF
// cuts the connection: the far side sees a failure, and what is under way may
// be lost.
type Conn struct {
	halfConn
	client *Client
	id     string

	reading sync.Mutex
	early   *bufio.Reader // guarded by reading: what came with the answer; nil when read

	heard atomic.Bool // Read has returned io.EOF
	ended atomic.Bool // CloseWrite has been called
}

// ID names the connection at the node.
func (c *Conn) ID() string { return c.id }

// About tells what the node knows of the connection.
func (c *Conn) About(ctx context.Context) (api.Connection, error) {
	return c.client.Connection(ctx, c.id)
}

// CloseWrite ends the data of this side. Nothing may be written beside or
// after it.
func (c *Conn) CloseWrite() error {
	if c.ended.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), verdictTimeout)
	defer cancel()
	// The node must know that this is no death of the program, which shuts
	// the socket too.
	route := "/connections/" + url.PathEscape(c.id) + "/end"
	if err := c.client.call(ctx, http.MethodPost, route, nil, nil, nil); err != nil {
		return c.verdict(err)
	}
	return c.halfConn.CloseWrite()
}

// Close ends the connection. If the far side has ended, and that has been
// read, what was written is delivered; else it is Reset.
func (c *Conn) Close() error {
	if c.heard.Load() {
		c.CloseWrite() //nolint:errcheck // it has failed already then
	}
	return c.halfConn.Close()
}

// Reset cuts the connection: the far side sees a failure.
func (c *Conn) Reset() { c.halfConn.Close() }

// verdictTimeout bounds the question at the end of a connection's data.
const verdictTimeout = 5 * time.Second

// Read reads what the far side has sent. It returns io.EOF only if the far
// side has ended its data, and the failure if the connection was cut.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if err == nil || errors.Is(err, net.ErrClosed) {
		return n, err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return n, err
	}
	err = c.verdict(err)
	if err == io.EOF {
		c.heard.Store(true)
	}
	return n, err
}

// Write writes to the far side. It fails with the reason if the connection was
// cut.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.halfConn.Write(p)
	var timeout net.Error
	if err == nil || errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout() {
		return n, err
	}
	return n, c.verdict(err)
}

// verdict asks the node why a connection is over: the socket does not tell an
// end from a cut.
func (c *Conn) verdict(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), verdictTimeout)
	defer cancel()
	about, lost := c.About(ctx)
	if cut := about.Problem.Err(); cut != nil {
		return cut
	}
	if lost != nil {
		return wire.Errorf(wire.Closed, "the node left before it had said how the connection ended: %w", lost)
	}
	return err
}

func (c *Conn) read(p []byte) (int, error) {
	c.reading.Lock()
	if c.early == nil {
		c.reading.Unlock()
		return c.halfConn.Read(p)
	}
	defer c.reading.Unlock()
	if n := c.early.Buffered(); n > 0 {
		return c.early.Read(p[:min(n, len(p))])
	}
	c.early = nil
	return c.halfConn.Read(p)
}
