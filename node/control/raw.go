package control

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handlers of the routes that carry bytes.

// dial connects to a pipe and hands the bytes to the caller.
func (s *Server) dial(w http.ResponseWriter, r *http.Request, q api.DialQuery) error {
	if err := checkUpgrade(r); err != nil {
		return err
	}
	if upgradeOf(r) == "" {
		return wire.Errorf(wire.BadRequest, "a dial needs an upgrade").
			WithNext(`send "Connection: Upgrade" and "Upgrade: %s", or a WebSocket handshake`, api.UpgradeProtocol)
	}
	o, err := dialOptions(q)
	if err != nil {
		return err
	}
	if _, _, err := s.lookup(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout+o.Wait)
	defer cancel()
	var c PipeConn
	err = s.whenReady(ctx, func() (err error) {
		c, err = s.dialPipe(ctx, r.PathValue("ref"), o)
		return err
	})
	if err != nil {
		return err
	}
	t, err := s.conns.add(c, false)
	if err != nil {
		return err
	}
	return s.carry(w, r, t)
}

// dialPipe dials and waits until the far side has accepted: a refusal is told
// as a failed dial, and not as a connection that breaks.
func (s *Server) dialPipe(ctx context.Context, ref string, o pipe.DialOptions) (PipeConn, error) {
	conn, err := s.cfg.Node.DialPipe(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	c, err := pipeConn(conn)
	if err != nil {
		return nil, err
	}
	if err := c.Opened(ctx); err != nil {
		c.Reset()
		return nil, err
	}
	return c, nil
}

// connection takes an offered connection, or tells about one.
func (s *Server) connection(w http.ResponseWriter, r *http.Request, _, _ none) error {
	if err := checkUpgrade(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if upgradeOf(r) == "" {
		c, err := s.conns.get(id)
		if err != nil {
			return err
		}
		deadline(w, writeTimeout)
		writeJSON(w, http.StatusOK, jsonMedia, c)
		return nil
	}
	t, err := s.conns.take(id)
	if err != nil {
		return err
	}
	return s.carry(w, r, t)
}

// endConnection notes that the program will end its data on purpose.
func (s *Server) endConnection(r *http.Request, _, _ none) (none, error) {
	return none{}, s.conns.announce(r.PathValue("id"))
}

func (s *Server) listConnections(*http.Request, none, none) (api.ConnectionList, error) {
	return api.ConnectionList{Connections: s.conns.list()}, nil
}

// carry upgrades the request and carries bytes until the connection is over.
func (s *Server) carry(w http.ResponseWriter, r *http.Request, t *tracked) error {
	var l local
	var err error
	if upgradeOf(r) == webSocket {
		w.Header().Set(api.ConnectionHeader, t.about.ID)
		l, err = acceptWeb(s.ctx, w, r)
	} else {
		l, err = hijack(w, r, t)
	}
	if err != nil {
		t.far.Reset()
		s.conns.end(t, err)
		return unanswered(err)
	}
	l = trackedLocal{local: l, registry: s.conns, t: t}
	stop := context.AfterFunc(s.ctx, func() { l.End(wire.Errorf(wire.Closed, "the node is shutting down")) })
	defer stop()
	bridge(l, t.far, &t.count) //nolint:errcheck // trackedLocal has noted it
	return nil
}

// trackedLocal notes how a connection has ended before the program can see
// that it has, so that a program that asks is told.
type trackedLocal struct {
	local
	registry *registry
	t        *tracked
}

// End implements local.
func (l trackedLocal) End(cause error) {
	l.registry.end(l.t, cause)
	l.local.End(cause)
}

// unanswered drops a failure that the client has been told of.
func unanswered(err error) error {
	var told errAnswered
	if errors.As(err, &told) {
		return nil
	}
	return err
}

// checkUpgrade refuses a WebSocket handshake that is not complete (RFC 6455,
// 4.2.1), before anything is done for it.
func checkUpgrade(r *http.Request) error {
	if upgradeOf(r) != webSocket {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get("Sec-WebSocket-Key")))
	switch {
	case !headerHas(r, "Connection", "upgrade"):
		return wire.Errorf(wire.BadRequest, `the WebSocket handshake has no "Connection: Upgrade"`)
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return wire.Errorf(wire.BadRequest, "the WebSocket handshake asks for version %q, not 13", r.Header.Get("Sec-WebSocket-Version")).
			WithNext(`send "Sec-WebSocket-Version: 13"`)
	case len(r.Header.Values("Sec-WebSocket-Key")) != 1 || err != nil || len(key) != 16:
		return wire.Errorf(wire.BadRequest, "the WebSocket handshake has no Sec-WebSocket-Key of 16 bytes in base64")
	}
	return nil
}

// headerHas reports whether a header's list has a word.
func headerHas(r *http.Request, header, word string) bool {
	for _, line := range r.Header.Values(header) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

const webSocket = "websocket"

// upgradeOf returns the protocol that a request wants to upgrade to, of those
// that there are.
func upgradeOf(r *http.Request) string {
	for p := range strings.SplitSeq(r.Header.Get("Upgrade"), ",") {
		switch p = strings.ToLower(strings.TrimSpace(p)); p {
		case api.UpgradeProtocol, webSocket:
			return p
		}
	}
	return ""
}
