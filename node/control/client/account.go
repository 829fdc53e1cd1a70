package client

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Account tells of the node's account. wire.NotReady if it has none.
func (c *Client) Account(ctx context.Context) (api.Account, error) {
	return get[api.Account](ctx, c, "/account", nil)
}

// DraftAccount makes an account that the node does not keep yet: KeepAccount has
// it keep it, once the recovery file is written down. wire.Taken if the node has
// an account.
func (c *Client) DraftAccount(ctx context.Context, q api.AccountDraftRequest) (api.AccountDraft, error) {
	return post[api.AccountDraft](ctx, c, "/account/drafts", q)
}

// KeepAccount makes the last draft, of this ID, the node's account.
func (c *Client) KeepAccount(ctx context.Context, account string) (api.Account, error) {
	return post[api.Account](ctx, c, "/account", api.AccountKeepRequest{Account: account})
}

// ImportAccount brings an account back from a recovery file. wire.Forbidden for a
// wrong passphrase.
func (c *Client) ImportAccount(ctx context.Context, q api.AccountImportRequest) (api.Account, error) {
	return post[api.Account](ctx, c, "/account/import", q)
}

// ExportAccount makes a recovery file with the root key of an earlier one, and
// returns its text.
func (c *Client) ExportAccount(ctx context.Context, q api.AccountExportRequest) (string, error) {
	a, err := post[api.AccountRecovery](ctx, c, "/account/export", q)
	return a.Recovery, err
}

// EditProfile changes what is not nil.
func (c *Client) EditProfile(ctx context.Context, q api.AccountProfileRequest) (a api.Account, err error) {
	err = c.call(ctx, http.MethodPut, "/account/profile", nil, q, &a)
	return a, err
}

// NameDevice names a device of the account.
func (c *Client) NameDevice(ctx context.Context, device, name string) (a api.Account, err error) {
	err = c.call(ctx, http.MethodPut, deviceRoute(device), nil, api.AccountDeviceRequest{Name: name}, &a)
	return a, err
}

// RevokeDevice throws a device out of the account.
func (c *Client) RevokeDevice(ctx context.Context, device string) (a api.Account, err error) {
	err = c.call(ctx, http.MethodDelete, deviceRoute(device), nil, nil, &a)
	return a, err
}

func deviceRoute(device string) string { return "/account/devices/" + url.PathEscape(device) }

// LogoutAccount has the node leave its account and forget it.
func (c *Client) LogoutAccount(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/account", nil, nil, nil)
}

// JoinAccount makes the node a device of the account whose LinkDevice shows this
// code or ticket.
func (c *Client) JoinAccount(ctx context.Context, q api.AccountJoinRequest) (api.Account, error) {
	return post[api.Account](ctx, c, "/account/join", q)
}

// LinkDevice lets one device into the account. The sequence is what comes of it,
// and ends with kind linked or closed, or with an error. Whoever stops ends it.
func (c *Client) LinkDevice(ctx context.Context) iter.Seq2[api.LinkEvent, error] {
	return func(yield func(api.LinkEvent, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		answer, err := c.open(ctx, http.MethodPost, "/account/link", nil, nil)
		if err != nil {
			yield(api.LinkEvent{}, err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var e api.LinkEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				yield(e, wire.Errorf(wire.Internal, "the node's answer cannot be read: %w", err))
				return
			}
			if !yield(e, nil) || e.Kind == api.LinkLinked || e.Kind == api.LinkClosed {
				return
			}
		}
		if ctx.Err() != nil {
			yield(api.LinkEvent{}, ctx.Err())
			return
		}
		yield(api.LinkEvent{}, wire.Errorf(wire.Closed, "the node has ended the linking"))
	}
}
