package roster

import (
	"context"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/account"
)

// Pipes is what a roster needs of the pipe service; *pipe.Service is one.
type Pipes interface {
	Resolve(ctx context.Context, id pipe.ID, o pipe.ResolveOptions) (*pipe.Resolution, error)
	Dial(ctx context.Context, id pipe.ID, o pipe.DialOptions) (*pipe.Conn, error)
	Listen(ctx context.Context, id pipe.ID, o pipe.ListenOptions) (*pipe.Listener, error)
	ShowLog(log *identity.DeviceLog)
}

// Store keeps what a roster knows of other accounts, one record each, and has it
// on the disk when SaveContact returns. node/store implements it.
type Store interface {
	// Contacts returns all records, by account.
	Contacts(ctx context.Context) (map[identity.Principal][]byte, error)
	// SaveContact replaces the record of an account; an empty one forgets it.
	SaveContact(ctx context.Context, account identity.Principal, record []byte) error
}

// Config is of one account on one device. All but Log is needed.
type Config struct {
	// Self is this device.
	Self peer.ID
	// Keeper has an account, the same one as long as the roster lives.
	Keeper *account.Keeper
	// Act returns what it takes to sign on this device now.
	Act func() account.Act
	// Pipes binds, resolves and dials. It is running.
	Pipes Pipes
	// Journal has the conversations; the roster is its only watcher.
	Journal session.Journal
	// Store keeps requests, and the device logs of others.
	Store Store
	// Now is the clock.
	Now func() time.Time
	// Log is told what a person may want to know; nil discards.
	Log *slog.Logger
}

func (c *Config) normalize() error {
	if c.Self == "" || c.Keeper == nil || c.Act == nil || c.Pipes == nil || c.Journal == nil || c.Store == nil || c.Now == nil {
		return wire.Errorf(wire.BadRequest, "roster: self, keeper, act, pipes, journal, store and now must be set")
	}
	if a, _ := c.Keeper.Account(); a.IsZero() {
		return account.ErrNone
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
