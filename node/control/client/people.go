package client

import (
	"context"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// A buddy is named by the account's ID, by its petname, or by the name that it
// gives itself, if it alone has it. wire.Unknown if there is none,
// wire.BadRequest if there are several. All calls are wire.NotReady where the
// node has no account.

func buddyRoute(who, rest string) string { return "/buddies/" + url.PathEscape(who) + rest }
func chatRoute(who, rest string) string  { return "/chats/" + url.PathEscape(who) + rest }

// Buddies lists the accounts that the node's account knows.
func (c *Client) Buddies(ctx context.Context, q api.BuddiesQuery) ([]api.Buddy, error) {
	l, err := get[api.BuddyList](ctx, c, "/buddies", api.EncodeQuery(q))
	return l.Buddies, err
}

// Buddy tells about one account.
func (c *Client) Buddy(ctx context.Context, who string, q api.BuddiesQuery) (api.Buddy, error) {
	return get[api.Buddy](ctx, c, buddyRoute(who, ""), api.EncodeQuery(q))
}

// Ask asks an account to be a buddy. That nobody there could be told yet is in
// the answer's Problem; the request is kept.
func (c *Client) Ask(ctx context.Context, q api.AskRequest) (api.AskAnswer, error) {
	return post[api.AskAnswer](ctx, c, "/buddies", q)
}

// RemoveBuddy ends a friendship, or takes a request back.
func (c *Client) RemoveBuddy(ctx context.Context, who string) error {
	return c.call(ctx, http.MethodDelete, buddyRoute(who, ""), nil, nil, nil)
}

// SetPetname gives a buddy a name; an empty one takes it away. wire.Taken if
// another has it.
func (c *Client) SetPetname(ctx context.Context, who, name string) error {
	return c.call(ctx, http.MethodPut, buddyRoute(who, "/petname"), nil, api.PetnameRequest{Petname: name}, nil)
}

// Block keeps an account out.
func (c *Client) Block(ctx context.Context, who string) error {
	return c.call(ctx, http.MethodPut, buddyRoute(who, "/block"), nil, nil, nil)
}

// Unblock lifts a block.
func (c *Client) Unblock(ctx context.Context, who string) error {
	return c.call(ctx, http.MethodDelete, buddyRoute(who, "/block"), nil, nil, nil)
}

// Requests lists the requests that wait for an answer.
func (c *Client) Requests(ctx context.Context) ([]api.BuddyRequest, error) {
	l, err := get[api.BuddyRequestList](ctx, c, "/requests", nil)
	return l.Requests, err
}

// Accept takes a request, named by account or name.
func (c *Client) Accept(ctx context.Context, who string) (api.Buddy, error) {
	return post[api.Buddy](ctx, c, "/requests/"+url.PathEscape(who)+"/accept", nil)
}

// Decline forgets a request.
func (c *Client) Decline(ctx context.Context, who string) error {
	return c.call(ctx, http.MethodDelete, "/requests/"+url.PathEscape(who), nil, nil, nil)
}

// SetPresence says what buddies see of the node's account.
func (c *Client) SetPresence(ctx context.Context, q api.PresenceRequest) error {
	return c.call(ctx, http.MethodPut, "/presence", nil, q, nil)
}

// Messages reads a part of a conversation, by default its end.
func (c *Client) Messages(ctx context.Context, who string, q api.MessagesQuery) (api.MessagePage, error) {
	return get[api.MessagePage](ctx, c, chatRoute(who, "/messages"), api.EncodeQuery(q))
}

// Send writes a message. After an error that is not wire.Closed it is not
// written; after that, Messages tells. wire.BadRequest for what is not UTF-8.
func (c *Client) Send(ctx context.Context, who, text string) (api.Message, error) {
	if !utf8.ValidString(text) { // JSON would change it
		return api.Message{}, wire.Errorf(wire.BadRequest, "the text is not UTF-8").WithNext("convert it first, for example with iconv")
	}
	return post[api.Message](ctx, c, chatRoute(who, "/messages"), api.SendRequest{Text: text})
}

// MarkRead notes that a person has seen a conversation up to a place.
func (c *Client) MarkRead(ctx context.Context, who, upTo string) error {
	return c.call(ctx, http.MethodPost, chatRoute(who, "/read"), nil, api.ReadRequest{UpTo: upTo}, nil)
}

// ChatState reads what an application keeps with a conversation.
func (c *Client) ChatState(ctx context.Context, who string) ([]byte, error) {
	l, err := get[api.ChatState](ctx, c, chatRoute(who, "/state"), nil)
	return l.State, err
}

// SetChatState writes it, for all devices of both accounts.
func (c *Client) SetChatState(ctx context.Context, who string, state []byte) error {
	return c.call(ctx, http.MethodPut, chatRoute(who, "/state"), nil, api.ChatState{State: state}, nil)
}

// Sessions lists the sessions that run.
func (c *Client) Sessions(ctx context.Context) ([]api.Session, error) {
	l, err := get[api.SessionList](ctx, c, "/sessions", nil)
	return l.Sessions, err
}
