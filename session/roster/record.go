package roster

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// Field numbers of a contact's record.
const (
	recordLog     = 1
	recordName    = 2
	recordSeen    = 3 // Unix ms
	recordNote    = 4 // of our request
	recordAt      = 5 // of its request, Unix ms; absent: none waits
	recordAsk     = 6 // its note
	recordSecret  = 7
	recordRefused = 8 // when its request was declined, Unix ms
)

const maxMillis = 253402300799999 // the last of the year 9999

// record is what is stored of a contact; nil where there is nothing.
func (c *contact) record() []byte {
	var b wire.Builder
	if c.log != nil {
		b.Bytes(recordLog, c.log.Bytes())
	}
	b.String(recordName, c.name)
	if !c.seen.IsZero() {
		b.Uint(recordSeen, uint64(max(0, c.seen.UnixMilli())))
	}
	b.String(recordNote, c.note)
	if q := c.request; q != nil {
		b.Uint(recordAt, uint64(max(1, q.at.UnixMilli()))).String(recordAsk, q.Note).Bytes(recordSecret, q.Secret)
	}
	if !c.declined.IsZero() {
		b.Uint(recordRefused, uint64(max(0, c.declined.UnixMilli())))
	}
	return b.Build()
}

// restore reads what record made.
func (c *contact) restore(raw []byte) error {
	f, err := wire.ParseFields(raw)
	if err != nil {
		return err
	}
	log := f.Bytes(recordLog, identity.MaxDeviceLog)
	c.name = f.String(recordName, buddy.MaxName)
	seen := f.Uint(recordSeen, maxMillis)
	c.note = f.String(recordNote, buddy.MaxNote)
	at := f.Uint(recordAt, maxMillis)
	note, secret := f.String(recordAsk, buddy.MaxNote), f.Bytes(recordSecret, buddy.MaxSecret)
	declined := f.Uint(recordRefused, maxMillis)
	if err := f.Done(); err != nil {
		return err
	}
	if declined != 0 {
		c.declined = time.UnixMilli(int64(declined))
	}
	if seen != 0 {
		c.seen = time.UnixMilli(int64(seen))
	}
	if at != 0 {
		c.request = &request{Ask: buddy.Ask{Name: c.name, Note: note, Secret: secret}, at: time.UnixMilli(int64(at))}
	}
	if log != nil {
		c.log, err = identity.ParseLog(log)
	}
	return err
}

// recall reads what was stored. A record that does not parse is left out, and
// said: what it has comes again from the other account.
func (r *Roster) recall() error {
	stored, err := r.cfg.Store.Contacts(r.ctx)
	if err != nil {
		return err
	}
	for id, raw := range stored {
		c := r.book.contact(id)
		err := c.restore(raw)
		if err == nil && c.log != nil && c.log.Account() != id {
			err = wire.Errorf(wire.BadRequest, "log of %s", c.log.Account())
		}
		if err != nil {
			r.cfg.Log.Error("what was stored of an account is damaged", "account", id, "error", err)
			delete(r.book.contacts, id)
			continue
		}
		if c.log != nil {
			r.logs.keep(c.log)
		}
	}
	return nil
}

// remember finds out with whom was talked last.
func (r *Roster) remember(ctx context.Context) {
	with := make(map[identity.Principal]bool)
	for key := range r.cfg.Journal.Runs() {
		with[key.With] = true
	}
	for id := range with {
		last, err := r.talks.Page(ctx, id, replica.ID{}, 1)
		if err != nil || len(last) == 0 {
			continue
		}
		r.mu.Lock()
		if c := r.book.contacts[id]; c != nil {
			c.talked = time.UnixMilli(int64(last[0].Place.Stamp() >> 16)) // what replica.StampAt made of it
		}
		r.mu.Unlock()
	}
	r.rouse()
}

// storeLocked has a contact stored soon.
func (r *Roster) storeLocked(c *contact) {
	r.dirty[c.account] = true
	select {
	case r.saves <- struct{}{}:
	default:
	}
}

// save stores contacts that have changed, until the end.
func (r *Roster) save() {
	for {
		select {
		case <-r.saves:
		case <-r.ctx.Done():
			return // Close stores what is left
		}
		r.saveAll()
	}
}

// saveAll stores what has changed, also at the end: it is little.
func (r *Roster) saveAll() {
	ctx := context.WithoutCancel(r.ctx)
	r.mu.Lock()
	records := make(map[identity.Principal][]byte, len(r.dirty))
	for id := range r.dirty {
		records[id] = r.book.contact(id).record()
	}
	clear(r.dirty)
	r.mu.Unlock()
	for id, record := range records {
		if err := r.cfg.Store.SaveContact(ctx, id, record); err != nil {
			r.cfg.Log.Error("what is known of an account could not be stored", "account", id, "error", err)
		}
	}
}
