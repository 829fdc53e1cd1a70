package link

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// Defaults of Config.
const (
	DefaultGrace        = time.Minute
	DefaultMaxGrace     = 10 * time.Minute
	DefaultWindow       = 16 << 20
	DefaultMemory       = 1 << 30
	DefaultLinks        = 32768
	DefaultLinksPerPeer = 16384
)

// Trunks is what links need of the trunk; *trunk.Trunks is one.
type Trunks interface {
	Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error)
}

// Route is where a link's far end is found. Links with equal routes are taken
// up again together.
type Route struct {
	Peer peer.ID
	Key  any // comparable; its meaning is Config.Redial's
}

// Config is what New needs.
type Config struct {
	Self peer.ID // this node

	// Trunks carries the links. Its Accept is Links.Accept.
	Trunks Trunks

	// Redial finds a path for links that have lost their leg. It is asked
	// again, with growing pauses, until their time of grace is over.
	Redial func(ctx context.Context, r Route) (reach.Path, error)

	// Follow finds a path to where a far end has moved, as it said itself when
	// it moved; nil waits for it to come.
	Follow func(ctx context.Context, r Route, hint []byte) (reach.Path, error)

	// Authorise judges a far end that wants to go on from another node; nil
	// refuses all. It may take its time.
	Authorise func(ctx context.Context, c Claim) error

	Grace        time.Duration // how long a link waits for a leg, unless its opener says; 0 is DefaultGrace
	MaxGrace     time.Duration // the longest that the far side may ask for; 0 is DefaultMaxGrace
	Window       uint64        // most bytes that a link buffers in each direction; 0 is DefaultWindow
	Memory       uint64        // bytes that all links may buffer, 32 KiB of each at least; 0 is DefaultMemory
	Links        int           // links at a time; 0 is DefaultLinks
	LinksPerPeer int           // of one peer; 0 is DefaultLinksPerPeer

	// Trace hears of the legs of all links; nil for nobody. It must not block,
	// nor call a Link.
	Trace func(Event)

	// Hostile hears of peers that break the rules; nil for nobody.
	Hostile func(p peer.ID, err error)
}

func (c *Config) normalize() {
	if c.Authorise == nil {
		c.Authorise = func(context.Context, Claim) error { return errNoTokens }
	}
	if c.Hostile == nil {
		c.Hostile = func(peer.ID, error) {}
	}
	if c.Trace == nil {
		c.Trace = func(Event) {}
	}
	setDefault(&c.Grace, DefaultGrace)
	setDefault(&c.MaxGrace, DefaultMaxGrace)
	setDefault(&c.Window, DefaultWindow)
	setDefault(&c.Memory, DefaultMemory)
	setDefault(&c.Links, DefaultLinks)
	setDefault(&c.LinksPerPeer, DefaultLinksPerPeer)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Claim is a far end that wants to go on from another node than before.
type Claim struct {
	Link     ID
	Service  string
	From, To peer.ID // the node known for that end, and the one that asks
	Epoch    uint64  // how often that end would have moved
	Token    []byte  // what the asker brings, at most 2 KiB

	// Untaken says that this node has imported its own end, and that the far
	// side has not taken it for that: another node may have imported the same.
	// Then a token is not enough. It must show that an owner of this end from
	// before the export has granted the claim.
	Untaken bool
}
