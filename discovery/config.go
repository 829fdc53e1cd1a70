package discovery

import (
	"context"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Role is what this node does for the overlay's routing.
type Role string

// The roles. The zero Role in a Config means: computed from reachability.
const (
	RoleServer Role = "server" // answers routing queries and holds records
	RoleClient Role = "client" // asks only
)

// PeerStore keeps servers over restarts. Implementations must be safe for
// concurrent use.
type PeerStore interface {
	// RememberPeers replaces the stored list. At most MaxRemembered, most
	// recently seen first.
	RememberPeers(ctx context.Context, peers []peer.AddrInfo) error
	// RememberedPeers returns the stored list, most recently seen first.
	RememberedPeers(ctx context.Context) ([]peer.AddrInfo, error)
}

// MaxRemembered is how many servers are kept over restarts.
const MaxRemembered = 50

// Config says how a node finds its overlay. Host, Reach and Overlay are needed.
type Config struct {
	Host    host.Host
	Reach   *reach.Reach
	Overlay string          // prefix of the overlay's protocol IDs; see identity.CheckOverlay
	Join    []peer.AddrInfo // nodes to join through; one entry may appear many times with other addresses
	MDNS    bool            // look for nodes on the LAN, and be found there
	Role    Role            // "" = computed from reachability
	Store   PeerStore       // remembered servers; nil = none
	Gate    Gate            // told who is vouched for and where this node is; nil = none
	Log     *slog.Logger    // nil = discard

	AskTimeout      time.Duration // for one ask of a walk; 0 = 5 s
	JoinTimeout     time.Duration // for one attempt at one join peer; 0 = 10 s
	JoinInterval    time.Duration // first pause between attempts, jittered by half and growing; 0 = 500 ms
	JoinMaxInterval time.Duration // longest pause between attempts; 0 = 60 s
	RefreshPeriod   time.Duration // of the routing table; 0 = 10 min
	RememberDelay   time.Duration // quiet time before a changed set of servers is stored; 0 = 5 s

	// ObservedChanged is called when Observed has another answer; nil = never.
	// It must not block.
	ObservedChanged func()

	// Providers keeps kad-dht's provider records on, so that a benchmark can
	// compare with them. Panpipe itself has no use for them.
	Providers bool

	// Seams for tests.
	lan  lanService                                       // nil = mDNS
	dial func(ctx context.Context, p peer.AddrInfo) error // nil = by Reach
}

// normalize fills in what is left zero and refuses what cannot work, as
// wire.BadRequest.
func (c Config) normalize() (Config, error) {
	if err := identity.CheckOverlay(c.Overlay); err != nil {
		return c, err
	}
	switch {
	case c.Host == nil || c.Reach == nil:
		return c, wire.Errorf(wire.BadRequest, "discovery needs a host and its reach")
	case c.Role != "" && c.Role != RoleServer && c.Role != RoleClient:
		return c, wire.Errorf(wire.BadRequest, "role %q is neither %q nor %q", c.Role, RoleServer, RoleClient)
	}
	for _, d := range []struct {
		set *time.Duration
		def time.Duration
	}{
		{&c.AskTimeout, 5 * time.Second},
		{&c.JoinTimeout, 10 * time.Second},
		{&c.JoinInterval, 500 * time.Millisecond},
		{&c.JoinMaxInterval, time.Minute},
		{&c.RefreshPeriod, 10 * time.Minute},
		{&c.RememberDelay, 5 * time.Second},
	} {
		if *d.set < 0 {
			return c, wire.Errorf(wire.BadRequest, "a duration of discovery is negative")
		}
		if *d.set == 0 {
			*d.set = d.def
		}
	}
	if c.JoinMaxInterval < c.JoinInterval {
		c.JoinMaxInterval = c.JoinInterval
	}
	if c.Gate == nil {
		c.Gate = noGate{}
	}
	if c.dial == nil {
		c.dial = c.path
	}
	if c.lan == nil {
		c.lan = startMDNS
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// path connects to a node by whatever transport works.
func (c Config) path(ctx context.Context, p peer.AddrInfo) error {
	_, _, err := c.Reach.Path(ctx, reach.Want{Peer: p.ID, Addrs: p.Addrs, AllowRelay: true, Explicit: true})
	return err
}
