package trunk

import (
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Protocol is the ID of the protocol in an overlay.
func Protocol(overlay string) protocol.ID { return protocol.ID("/" + overlay + "/trunk/1") }

// Config is what New needs.
type Config struct {
	Self    peer.ID // this node
	Overlay string  // prefix of the protocol's ID
	Reach   Reach   // usually a *reach.Reach

	// Accept is asked about the first frame of each leg that the far side
	// opens, under the rules of Owner.Receive. It returns the leg's owner, or nil
	// for a leg that is not wanted (it may have called Refuse); an error says
	// that the peer broke the rules, and ends the carrier. nil takes no legs.
	Accept func(leg *Leg, kind Kind, in *Inbox) (Owner, error)

	Limits Limits
	Log    *slog.Logger // gets a debug line for each carrier; nil discards
}

// Reach is what a trunk needs of package reach.
type Reach interface {
	Handle(id protocol.ID, h func(network.Stream))
	Unhandle(id protocol.ID)
	PathOf(c network.Conn) reach.Path
	Doubt(p reach.Path) <-chan struct{}
	Hold(p peer.ID) (release func())
}

// Limits are the caps of a trunk. Zero fields are the defaults.
type Limits struct {
	Carriers    int           // that each side may open on one path, half of them for one leg each; 16
	Legs        int           // on one carrier; 20,000
	LegsPerPeer int           // on all carriers of one peer; 40,000
	Refusals    int           // that wait to be written on one carrier; 256
	Idle        time.Duration // after which a shared carrier without legs is closed; 1 min
}

// normalize fills in what zero values stand for.
func (c *Config) normalize() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits.normalize()
}

func (l *Limits) normalize() {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Carriers, 16}, {&l.Legs, 20_000}, {&l.LegsPerPeer, 40_000}, {&l.Refusals, 256}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.Idle == 0 {
		l.Idle = time.Minute
	}
}
