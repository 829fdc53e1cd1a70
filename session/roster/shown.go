package roster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account"
)

// Buddies returns all accounts that the profile knows, by account, the removed
// ones left out.
func (r *Roster) Buddies() []Buddy {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Buddy
	now := time.Now()
	for _, c := range r.book.contacts {
		if c.standing == requested || c.standing == accepted || c.blocked {
			all = append(all, c.show(now))
		}
	}
	slices.SortFunc(all, func(a, b Buddy) int { return cmp.Compare(a.Account.String(), b.Account.String()) })
	return all
}

// Buddy returns one, false where the profile does not know the account. A
// removed one is known.
func (r *Roster) Buddy(id identity.Principal) (Buddy, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[id]
	if c == nil || c.standing == own || c.state == account.Stranger && !c.blocked {
		return Buddy{}, false
	}
	return c.show(time.Now()), true
}

func (c *contact) show(now time.Time) Buddy {
	b := Buddy{
		Account: c.account, Name: c.name, Petname: c.petname, State: c.state, Blocked: c.blocked,
		Known: c.looked, Attended: c.attended > 0, Seen: c.seen,
	}
	if !c.speaks() {
		return b
	}
	for _, id := range c.present() {
		d := c.devices[id]
		if d == nil {
			b.Devices = append(b.Devices, Device{ID: id})
			continue
		}
		b.Devices = append(b.Devices, d.show(now))
		b.Presence = max(b.Presence, d.presenceAt(now))
		if d.links[buddy.PurposeRoster].live && d.status != "" {
			b.Status = d.status
		}
	}
	slices.SortFunc(b.Devices, func(x, y Device) int { return cmp.Compare(x.ID, y.ID) })
	return b
}

// present are the devices to be shown: the valid ones, or, before the device log
// was seen, those that were found.
func (c *contact) present() (all []peer.ID) {
	if c.log == nil {
		return slices.Collect(maps.Keys(c.devices))
	}
	for _, d := range c.log.Devices() {
		all = append(all, d.ID)
	}
	return all
}

func (d *device) show(now time.Time) Device {
	p := d.presenceAt(now)
	return Device{ID: d.id, Presence: p, Since: d.since, Direct: p == Connected && d.direct}
}

// Devices returns this account's valid devices, the most senior first.
func (r *Roster) Devices() []Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Device
	now := time.Now()
	for _, valid := range r.account.Log().Devices() {
		shown := Device{ID: valid.ID}
		if d := r.book.contact(r.me).devices[valid.ID]; d != nil {
			shown = d.show(now)
		}
		if shown.Self = valid.ID == r.cfg.Self; shown.Self {
			shown.Presence, shown.Direct = Connected, true
		}
		shown.Name = r.account.Profile().DeviceName(valid.ID)
		all = append(all, shown)
	}
	return all
}

// Sessions lists the sessions that run now, by account and device.
func (r *Roster) Sessions() []Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Session
	for _, l := range r.links {
		if l.purpose == buddy.PurposeChat {
			all = append(all, Session{
				Account: l.account, Device: l.device, Kind: l.purpose.String(), Since: l.since, Direct: l.conn.Direct(),
			})
		}
	}
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Account.String(), b.Account.String()), cmp.Compare(a.Device, b.Device))
	})
	return all
}

// tellPresenceLocked tells watchers of the devices whose presence is another
// than was told.
func (r *Roster) tellPresenceLocked(now time.Time) {
	for _, c := range r.book.contacts {
		if !c.speaks() {
			continue
		}
		for id, d := range c.devices {
			is := d.presenceAt(now)
			if is == d.shown || id == r.cfg.Self || c.revoked(id) {
				continue
			}
			d.shown, d.since = is, r.cfg.Now()
			r.tellLocked(Event{Kind: EventPresence, Account: c.account, Device: id, Presence: is})
		}
	}
}

// names are the devices of a contact's log.
func (c *contact) names() names {
	if c.log == nil {
		return nil
	}
	if c.named == nil || c.namedBy != c.log.Head() {
		c.named, c.namedBy = namesOf(c.log), c.log.Head()
	}
	return c.named
}
