// Package client is the Go client of a node's local API.
//
//	c := client.New(client.Config{Profile: "default"})
//	conn, err := c.Dial(ctx, "bafkrei…", api.DialQuery{})
//
// Failures are errors of the wire vocabulary, as the node told them: decide
// with errors.Is(err, wire.Unbound). When no node answers, the error is
// wire.NotReady.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxAnswer caps a JSON answer, in bytes.
const maxAnswer = 16 << 20

// Config says where the node is. The zero Config means the default profile.
type Config struct {
	Profile string // name of the profile; empty means "default"
	Socket  string // path of the Unix socket; empty means that of the profile
	TCP     string // host:port of the node's TCP listener, instead of the socket
	Token   string // for TCP
}

// Client talks to one node. It is safe for concurrent use and holds no
// connection open but those that are in use.
type Client struct {
	cfg  Config
	http *http.Client
}

// New makes a Client. Nothing is dialled before the first call.
func New(cfg Config) *Client {
	if cfg.Profile == "" {
		cfg.Profile = DefaultProfile
	}
	c := &Client{cfg: cfg}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.connect(ctx) },
		DisableCompression: true,
		DisableKeepAlives:  true,
	}}
	return c
}

// connect opens a connection to the API.
func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	if c.cfg.TCP != "" {
		return d.DialContext(ctx, "tcp", c.cfg.TCP)
	}
	paths := []string{c.cfg.Socket}
	if c.cfg.Socket == "" {
		var err error
		if paths, err = socketPaths(c.cfg.Profile); err != nil {
			return nil, err
		}
	}
	var failed error
	for _, path := range paths {
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if failed == nil || !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
	}
	return nil, failed
}

// failed tells why no node answered.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var told *wire.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, fs.ErrPermission):
		return wire.Errorf(wire.Forbidden, "the node's socket belongs to another user: %w", unwrapURL(err))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		if c.cfg.TCP != "" {
			return wire.Errorf(wire.NotReady, "no node is running at %s", c.cfg.TCP).WithNext("start one with panpipe up")
		}
		if c.cfg.Socket != "" {
			return wire.Errorf(wire.NotReady, "no node is running at %s", c.cfg.Socket).WithNext("start one with panpipe up --socket %s", c.cfg.Socket)
		}
		start := "panpipe up"
		if c.cfg.Profile != DefaultProfile {
			start += " --profile " + c.cfg.Profile
		}
		return wire.Errorf(wire.NotReady, "no node is running for profile %s", c.cfg.Profile).WithNext("start one with %s", start)
	}
	return wire.Errorf(wire.Closed, "the node does not answer: %w", unwrapURL(err))
}

// unwrapURL takes the made-up URL out of an HTTP client's error.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// request makes a request for a route below api.Prefix.
func (c *Client) request(ctx context.Context, method, route string, query url.Values, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, wire.Errorf(wire.BadRequest, "the request cannot be written as JSON: %w", err)
		}
		content = bytes.NewReader(b)
	}
	target := "http://" + c.host() + api.Prefix + route
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "%w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	return r, nil
}

func (c *Client) host() string {
	if c.cfg.TCP != "" {
		return c.cfg.TCP
	}
	return "panpipe"
}

// open sends a request and returns the answer of a route that streams.
func (c *Client) open(ctx context.Context, method, route string, query url.Values, body any, header ...string) (*http.Response, error) {
	r, err := c.request(ctx, method, route, query, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		return nil, problemIn(answer)
	}
	return answer, nil
}

// call sends a request and reads a JSON answer into v, nil for none.
func (c *Client) call(ctx context.Context, method, route string, query url.Values, body, v any) error {
	answer, err := c.open(ctx, method, route, query, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(v); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return wire.Errorf(wire.Internal, "the node's answer cannot be read: %w", err)
	}
	return nil
}

// problemIn reads the failure that an answer tells of.
func problemIn(answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, api.MaxBody))
	var p api.Problem
	if err == nil && strings.HasPrefix(answer.Header.Get("Content-Type"), api.ProblemType) && json.Unmarshal(body, &p) == nil {
		return p.Err()
	}
	return wire.Errorf(wire.Internal, "the node answered %s: %.200q", answer.Status, body)
}

func pipeRoute(ref, rest string) string { return "/pipes/" + url.PathEscape(ref) + rest }
