package roster

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/session/account"
)

// standing is what another account is to this one.
type standing uint8

const (
	stranger  standing = iota // or removed, or blocked
	requested                 // asked by this account
	accepted                  // a buddy
	own                       // this account itself
)

// book is what this device knows of its own account and of others, and what is
// to be done about them. It is pure: no clock, no socket, no lock. Roster keeps
// it under its lock, tells it what happens, and does what step says.
type book struct {
	self     peer.ID
	presence *pipe.Advertisement // this account's as its profile has it, which others are told; nil: not yet
	contacts map[identity.Principal]*contact
	running  [actionKinds]int // actions under way
}

// contact is one account.
type contact struct {
	account  identity.Principal
	standing standing
	blocked  bool
	petname  string
	state    account.State
	presence *pipe.Advertisement // where its devices are looked for; nil: not known
	log      *identity.DeviceLog // the winner of what was shown; nil: none was
	named    names               // of log, made when they are asked for
	namedBy  identity.Hash       // the head that they are of
	name     string              // what it calls itself
	seen     time.Time           // when one of its devices was last connected
	request  *request            // that waits here
	note     string              // of our own request
	declined time.Time           // when a person here declined its request

	attended int       // by how many here
	lingers  time.Time // until then it is as if it were attended to
	talked   time.Time // when something was last said, in either direction
	devices  map[peer.ID]*device

	looked   bool // once since the start
	looking  bool
	missed   int // looks that failed, one after the other
	nextLook time.Time
	glanced  bool // the second look after one that found somebody was had
	asking   bool
	nextAsk  time.Time
}

// device is one that was found, or came, on a presence pipe.
type device struct {
	id     peer.ID
	seq    uint64    // of its binding; 0: none is known
	until  time.Time // end of the binding's life
	over   uint64    // bindings up to this seq count for nothing: the device left
	dead   bool      // it was lost without a word, and has not been heard of since
	since  time.Time // when the presence shown changed
	shown  Presence
	status string
	direct bool

	links [purposes]slot
}

// request is a buddy request that waits.
type request struct {
	buddy.Ask
	at time.Time
}

// adopt takes the profile over: who the buddies are, and where.
func (b *book) adopt(me identity.Principal, p account.Profile) {
	for _, c := range b.contacts {
		c.standing, c.blocked, c.petname, c.state = stranger, false, "", account.Stranger
	}
	c := b.contact(me)
	c.standing = own
	if presence, ok := p.Presence(); ok {
		if a, err := presencePipe(presence); err == nil && (b.presence == nil || b.presence.ID() != a.ID()) {
			b.presence = &a
			c.settlePresence(&a)
		}
	}
	for _, q := range p.Buddies() {
		b.adoptBuddy(b.contact(q.Account), q)
	}
}

func (b *book) adoptBuddy(c *contact, q account.Buddy) {
	c.petname, c.blocked, c.state = q.Petname, q.Blocked, q.State
	switch {
	case q.Blocked || c.standing == own:
	case q.State == account.Requested:
		c.standing = requested
	case q.State == account.Accepted:
		c.standing = accepted
	}
	if q.Blocked || c.standing == accepted {
		c.request = nil
	}
	var presence *pipe.Advertisement
	if a, err := buddy.ParseSecret(q.Secret); err == nil {
		presence = &a
	}
	if c.standing != own {
		c.settlePresence(presence)
	}
}

// settlePresence notes where a contact is to be found. If that is new, it is
// looked for there anew.
func (c *contact) settlePresence(a *pipe.Advertisement) {
	same := (a == nil) == (c.presence == nil) && (a == nil || a.ID() == c.presence.ID())
	if same {
		return
	}
	c.presence = a
	c.nextLook, c.nextAsk, c.missed, c.looked, c.glanced = time.Time{}, time.Time{}, 0, false, false
	for _, d := range c.devices {
		d.seq, d.until, d.over, d.dead = 0, time.Time{}, 0, false
	}
}

// contact returns what is known of an account, which from now on may be more.
func (b *book) contact(id identity.Principal) *contact {
	c := b.contacts[id]
	if c == nil {
		c = &contact{account: id, devices: make(map[peer.ID]*device)}
		b.contacts[id] = c
	}
	return c
}

// device returns one of a contact's, which is kept from now on.
func (c *contact) device(id peer.ID) *device {
	d := c.devices[id]
	if d == nil {
		d = &device{id: id}
		c.devices[id] = d
	}
	return d
}

// presenceAt is how near a device is.
func (d *device) presenceAt(now time.Time) Presence {
	switch {
	case d.links[buddy.PurposeRoster].live:
		return Connected
	case d.bound(now) && !d.dead:
		return Announced
	}
	return Offline
}

// bound reports that the device has a binding that counts.
func (d *device) bound(now time.Time) bool { return d.seq > d.over && now.Before(d.until) }

// revoked reports that the log which won has thrown a device out. One that it
// does not name may have been added since.
func (c *contact) revoked(id peer.ID) bool {
	return c.log != nil && !c.log.Valid(id) && named(c.log)[id]
}

// named are all devices that a log has ever had.
func named(log *identity.DeviceLog) map[peer.ID]bool {
	all := make(map[peer.ID]bool)
	for _, e := range log.Entries() {
		if e.Op == identity.OpAdd {
			all[e.Device.ID] = true
		}
		for _, d := range e.Devices {
			all[d.ID] = true
		}
	}
	return all
}

// speaks reports whether links of a contact are let in at all.
func (c *contact) speaks() bool { return c.standing != stranger }

// byRank returns those who are to be connected first: those attended to, then
// those talked with last, then the rest by account.
func (b *book) byRank() []*contact {
	all := make([]*contact, 0, len(b.contacts))
	for _, c := range b.contacts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *contact) int {
		return cmp.Or(
			first(x.standing == own, y.standing == own),
			first(x.attended > 0, y.attended > 0),
			-x.talked.Compare(y.talked),
			cmp.Compare(x.account.String(), y.account.String()),
		)
	})
	return all
}

// first orders those before others that are something.
func first(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

// near reports whether a contact is to be connected: this account's own devices,
// and buddies attended to or talked with.
func (c *contact) near(now time.Time) bool {
	return c.standing == own || c.standing != stranger && (c.attended > 0 || !c.talked.IsZero() || now.Before(c.lingers))
}
