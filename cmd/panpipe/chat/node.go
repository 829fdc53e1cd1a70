package chat

import (
	"context"
	"iter"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// Node is what a conversation needs of the local API. *client.Client is one.
type Node interface {
	Status(ctx context.Context) (api.Status, error)
	ID(ctx context.Context) (api.Identity, error)
	Buddy(ctx context.Context, who string, q api.BuddiesQuery) (api.Buddy, error)
	Messages(ctx context.Context, who string, q api.MessagesQuery) (api.MessagePage, error)
	Send(ctx context.Context, who, text string) (api.Message, error)
	MarkRead(ctx context.Context, who, upTo string) error
	Events(ctx context.Context, since uint64, attend ...string) iter.Seq2[api.Event, error]
}
