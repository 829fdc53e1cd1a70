package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// get reads a JSON answer of type T.
func get[T any](ctx context.Context, c *Client, route string, query url.Values) (T, error) {
	var v T
	err := c.call(ctx, http.MethodGet, route, query, nil, &v)
	return v, err
}

// post sends a body and reads a JSON answer of type T.
func post[T any](ctx context.Context, c *Client, route string, body any) (T, error) {
	var v T
	err := c.call(ctx, http.MethodPost, route, nil, body, &v)
	return v, err
}

// Status tells how the node is doing.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, "/status", nil)
}

// Peers lists the connected nodes.
func (c *Client) Peers(ctx context.Context) ([]api.Peer, error) {
	l, err := get[api.PeerList](ctx, c, "/peers", nil)
	return l.Peers, err
}

// Disconnect closes every path to a peer. wire.Unknown if there is none.
func (c *Client) Disconnect(ctx context.Context, peer string) error {
	return c.call(ctx, http.MethodDelete, "/peers/"+url.PathEscape(peer), nil, nil, nil)
}

// Relisten has the node listen on these multiaddrs instead, and returns those
// that it has then.
func (c *Client) Relisten(ctx context.Context, addrs []string) ([]string, error) {
	var had api.Listening
	err := c.call(ctx, http.MethodPut, "/listening", nil, api.Listening{Addresses: addrs}, &had)
	return had.Addresses, err
}

// ID tells who the node is.
func (c *Client) ID(ctx context.Context) (api.Identity, error) {
	return get[api.Identity](ctx, c, "/id", nil)
}

// Ticket gives what others need to join through the node.
func (c *Client) Ticket(ctx context.Context) (api.Ticket, error) {
	return get[api.Ticket](ctx, c, "/ticket", nil)
}

// Limits lists the caps of the node.
func (c *Client) Limits(ctx context.Context) ([]api.Limit, error) {
	l, err := get[api.LimitList](ctx, c, "/limits", nil)
	return l.Limits, err
}

// Version tells the version of the node's program.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return get[api.Version](ctx, c, "/version", nil)
}

// Settings lists the configuration that the node runs with.
func (c *Client) Settings(ctx context.Context) ([]api.Setting, error) {
	l, err := get[api.SettingList](ctx, c, "/config", nil)
	return l.Settings, err
}

// Pipes lists the pipes that the node keeps.
func (c *Client) Pipes(ctx context.Context) ([]api.Pipe, error) {
	l, err := get[api.PipeList](ctx, c, "/pipes", nil)
	return l.Pipes, err
}

// Pipe tells about one pipe. wire.Unknown if the node knows nothing of it.
func (c *Client) Pipe(ctx context.Context, ref string) (api.Pipe, error) {
	return get[api.Pipe](ctx, c, pipeRoute(ref, ""), nil)
}

// CreatePipe makes a pipe owned by the node. wire.Taken if it has one of that
// name.
func (c *Client) CreatePipe(ctx context.Context, q api.CreateRequest) (api.Pipe, error) {
	return post[api.Pipe](ctx, c, "/pipes", q)
}

// RemovePipe forgets a pipe.
func (c *Client) RemovePipe(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodDelete, pipeRoute(ref, ""), nil, nil, nil)
}

// Resolve finds who serves a pipe. wire.Unbound if nobody does.
func (c *Client) Resolve(ctx context.Context, ref string, q api.ResolveQuery) (api.Resolution, error) {
	return get[api.Resolution](ctx, c, pipeRoute(ref, "/resolve"), api.EncodeQuery(q))
}

// Doctor examines the node.
func (c *Client) Doctor(ctx context.Context) (api.Diagnosis, error) {
	return get[api.Diagnosis](ctx, c, "/doctor", nil)
}

// Explain resolves and dials a pipe, or reaches for a peer, and tells how each
// step went. What it finds wrong is in the answer's Problem.
func (c *Client) Explain(ctx context.Context, ref string, q api.DialQuery) (api.Explanation, error) {
	return get[api.Explanation](ctx, c, "/explain/"+url.PathEscape(ref), api.EncodeQuery(q))
}

// Grants lists the capabilities that the node has given for a pipe.
func (c *Client) Grants(ctx context.Context, ref string) ([]api.Grant, error) {
	l, err := get[api.GrantList](ctx, c, pipeRoute(ref, "/grants"), nil)
	return l.Grants, err
}

// Grant gives a capability. wire.Forbidden if the node does not own the pipe.
func (c *Client) Grant(ctx context.Context, ref string, q api.GrantRequest) (api.Grant, error) {
	return post[api.Grant](ctx, c, pipeRoute(ref, "/grants"), q)
}

// Revoke voids a capability that the node has given, named by its text or the
// hex of its nonce.
func (c *Client) Revoke(ctx context.Context, capability string) error {
	return c.call(ctx, http.MethodPost, "/revocations", nil, api.RevokeRequest{Capability: capability}, nil)
}

// GatewayRules tells how the rules of the gateway stand.
func (c *Client) GatewayRules(ctx context.Context) ([]api.GatewayStatus, error) {
	l, err := get[api.GatewayRuleList](ctx, c, "/gateway/rules", nil)
	return l.Rules, err
}

// PutGatewayRule adds a rule, or changes the one that it stands for in place.
// wire.Taken for a listen address in use.
func (c *Client) PutGatewayRule(ctx context.Context, r api.GatewayRule, q api.GatewayPutQuery) (change api.GatewayChange, err error) {
	err = c.call(ctx, http.MethodPost, "/gateway/rules", api.EncodeQuery(q), r, &change)
	return change, err
}

// ApplyGatewayRules makes these the rules of the gateway.
func (c *Client) ApplyGatewayRules(ctx context.Context, rules []api.GatewayRule) (api.GatewayChanges, error) {
	var changes api.GatewayChanges
	if rules == nil {
		rules = []api.GatewayRule{}
	}
	err := c.call(ctx, http.MethodPut, "/gateway/rules", nil, api.GatewayRuleSet{Rules: rules}, &changes)
	return changes, err
}

// RemoveGatewayRule removes a rule, named by its ID, its listen address, or the
// pipe that it exposes. Its channels are reset, unless they are to drain.
func (c *Client) RemoveGatewayRule(ctx context.Context, ref string, q api.GatewayRemoveQuery) error {
	return c.call(ctx, http.MethodDelete, "/gateway/rules/"+url.PathEscape(ref), api.EncodeQuery(q), nil, nil)
}

// GatewayChannels lists the open channels of a rule.
func (c *Client) GatewayChannels(ctx context.Context, ref string) ([]api.GatewayChannel, error) {
	l, err := get[api.GatewayChannelList](ctx, c, "/gateway/rules/"+url.PathEscape(ref)+"/channels", nil)
	return l.Channels, err
}

// Connections lists the connections that pass through the API, and the last
// ones that have ended.
func (c *Client) Connections(ctx context.Context) ([]api.Connection, error) {
	l, err := get[api.ConnectionList](ctx, c, "/connections", nil)
	return l.Connections, err
}

// Connection tells about one connection.
func (c *Client) Connection(ctx context.Context, id string) (api.Connection, error) {
	return get[api.Connection](ctx, c, "/connections/"+url.PathEscape(id), nil)
}
