package gateway

import (
	"context"

	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// Pipes is what a gateway needs of the pipe service; *pipe.Service is one.
type Pipes interface {
	// Lookup turns a local name or the text of an ID into an ID, with the
	// advertisement if the node keeps it. wire.Unknown: no pipe has the name.
	Lookup(ctx context.Context, ref string) (pipe.ID, *pipe.Advertisement, error)
	Create(ctx context.Context, name string, o pipe.CreateOptions) (pipe.Pipe, error)
	Listen(ctx context.Context, id pipe.ID, o pipe.ListenOptions) (*pipe.Listener, error)
	Keep(id pipe.ID, o pipe.KeepOptions) *pipe.Keeper
}

// Store keeps the rules between runs. What PutRule has returned from is kept.
type Store interface {
	Rules(ctx context.Context) ([]Rule, error)
	// PutRule adds a rule, or replaces the one with its ID.
	PutRule(ctx context.Context, r Rule) error
	// DeleteRule forgets a rule; it is no error if there is none.
	DeleteRule(ctx context.Context, id string) error
}

// noStore keeps nothing.
type noStore struct{}

func (noStore) Rules(context.Context) ([]Rule, error)    { return nil, nil }
func (noStore) PutRule(context.Context, Rule) error      { return nil }
func (noStore) DeleteRule(context.Context, string) error { return nil }
