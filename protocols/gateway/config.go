package gateway

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Config is what a Gateway is made of. Pipes must be set; every other field has
// a useful zero value.
type Config struct {
	// Pipes finds, serves and dials pipes.
	Pipes Pipes
	// Store keeps the rules; nil forgets them at the end.
	Store Store
	// Limits caps what clients and dialers may use.
	Limits Limits
	// Ready returns when pipes can be bound and found; rules that Start restores
	// are bound after. Nil: at once.
	Ready func(ctx context.Context) error
	// Trace is told what happens; nil discards. It is called by many at once and
	// must not block.
	Trace func(Event)
	// Log is told what a person may want to know; nil discards.
	Log *slog.Logger
	// DialTarget connects to a service, "tcp" or "unix"; nil dials it.
	DialTarget func(ctx context.Context, network, addr string) (net.Conn, error)
	// Listen listens for clients, "tcp" or "unix"; nil listens there.
	Listen func(ctx context.Context, network, addr string) (net.Listener, error)
}

// Limits caps what a Gateway holds for clients and dialers. Zero means the
// default in the comment.
type Limits struct {
	Channels          int           // at a time, of all rules; 32768
	ChannelsPerClient int           // of one peer (expose) or IP address (forward, socks); as many as are free
	Rules             int           // 1024
	Pipes             int           // that clients of socks rules use at a time; 256
	PipeIdle          time.Duration // after that a pipe that no client of a socks rule uses is let go; 10 min
	TargetTimeout     time.Duration // for a service to take a connection; 5 s
	OpenTimeout       time.Duration // for the far node to answer; 30 s
	HandshakeTimeout  time.Duration // for a client of a socks rule to name its pipe; 30 s
}

func (l *Limits) normalize() {
	setDefault(&l.Channels, 32768)
	setDefault(&l.Rules, 1024)
	setDefault(&l.Pipes, 256)
	setDefault(&l.PipeIdle, 10*time.Minute)
	setDefault(&l.TargetTimeout, 5*time.Second)
	setDefault(&l.OpenTimeout, 30*time.Second)
	setDefault(&l.HandshakeTimeout, 30*time.Second)
	l.ChannelsPerClient = max(l.ChannelsPerClient, 0)
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

func (c *Config) normalize() error {
	if c.Pipes == nil {
		return wire.Errorf(wire.BadRequest, "gateway: pipes must be set")
	}
	if c.Store == nil {
		c.Store = noStore{}
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.Trace == nil {
		c.Trace = func(Event) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DialTarget == nil {
		c.DialTarget = new(net.Dialer).DialContext
	}
	if c.Listen == nil {
		c.Listen = listen
	}
	c.Limits.normalize()
	return nil
}
