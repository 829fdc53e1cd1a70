package roster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// Requests returns what waits for Accept or Decline, the oldest first.
func (r *Roster) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Request
	for _, id := range r.waitingLocked() {
		q := r.book.contacts[id].request
		all = append(all, Request{Account: id, Name: q.Name, Note: q.Note, At: q.at})
	}
	slices.SortFunc(all, func(a, b Request) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Account.String(), b.Account.String())
	})
	return all
}

// Ask asks an account to be a buddy, with a note of at most buddy.MaxNote bytes
// of one line. The buddy is then kept as requested, and asked again until there
// is an answer; it is accepted at once if that account has asked too. A state of
// account.Accepted is the answer yes. With an error that is Unbound, Unreachable
// or Timeout the request is kept, and will be told when a device of the account
// is there. Other errors: BadRequest for what is no account or a note that does
// not fit, Forbidden for a blocked account, Limit.
func (r *Roster) Ask(ctx context.Context, id identity.Principal, note string) (account.State, error) {
	if id == r.me {
		return 0, wire.Errorf(wire.BadRequest, "%s is this account itself", id)
	}
	if err := buddy.CheckLine("note", note, buddy.MaxNote); err != nil {
		return 0, err
	}
	if q, err := r.takeRequest(id); err == nil {
		return account.Accepted, r.accept(id, q)
	}
	a, _ := r.cfg.Keeper.Account()
	if q, known := a.Profile().Buddy(id); known && q.State == account.Accepted && !q.Blocked {
		return account.Accepted, nil
	}
	r.mu.Lock()
	c := r.book.contact(id)
	c.note, c.asking = note, true // here, and not by the book
	r.book.running[ask]++
	r.mu.Unlock()
	state, err := account.Requested, error(nil)
	var yes bool
	if _, err = r.edit(account.Add(id, account.Requested)); err == nil {
		yes, err = r.askOnce(ctx, id)
	} else {
		state = 0
	}
	r.mu.Lock()
	r.book.asked(c, err, time.Now())
	r.storeLocked(c)
	r.mu.Unlock()
	r.rouse()
	if yes {
		return account.Accepted, err
	}
	return state, err
}

// Accept takes the request of an account. Unknown where there is none.
func (r *Roster) Accept(_ context.Context, id identity.Principal) error {
	q, err := r.takeRequest(id)
	if err != nil {
		return err
	}
	return r.accept(id, q)
}

// Decline forgets the request of an account, which hears nothing. Unknown where
// there is none.
func (r *Roster) Decline(_ context.Context, id identity.Principal) error {
	if r.forgetRequest(id, true) {
		return nil
	}
	_, err := r.takeRequest(id)
	return err
}

// Remove ends a friendship, or takes a request back. Unknown for an account that
// is no buddy.
func (r *Roster) Remove(_ context.Context, id identity.Principal) error {
	a, _ := r.cfg.Keeper.Account()
	if q, known := a.Profile().Buddy(id); !known || q.State == account.Removed || q.State == account.Stranger {
		return errNoBuddy(id.String())
	}
	return r.renewing(func(fresh account.Presence) account.Change { return account.Remove(id, fresh) })
}

// Block keeps an account out, buddy or not, until Unblock. It hears nothing.
func (r *Roster) Block(_ context.Context, id identity.Principal) error {
	if id == r.me {
		return wire.Errorf(wire.BadRequest, "%s is this account itself", id)
	}
	a, _ := r.cfg.Keeper.Account()
	if q, known := a.Profile().Buddy(id); known && q.Blocked {
		return nil
	}
	err := r.renewing(func(fresh account.Presence) account.Change { return account.Block(id, fresh) })
	if err == nil {
		r.forgetRequest(id, true)
	}
	return err
}

// renewing changes the profile together with the presence.
func (r *Roster) renewing(change func(account.Presence) account.Change) error {
	fresh, err := account.NewPresence(r.cfg.Act().Random)
	if err != nil {
		return err
	}
	_, err = r.edit(change(fresh))
	return err
}

// Unblock lifts a block. The account has to be asked again, or to ask.
func (r *Roster) Unblock(_ context.Context, id identity.Principal) error {
	a, _ := r.cfg.Keeper.Account()
	if q, known := a.Profile().Buddy(id); !known || !q.Blocked {
		return wire.Errorf(wire.Unknown, "%s is not blocked", id)
	}
	_, err := r.edit(account.Unblock(id))
	return err
}

// SetPetname gives a buddy this account's own name for it; "" takes it away.
// Errors are those of account.SetPetname, and Unknown for an account that is no
// buddy.
func (r *Roster) SetPetname(_ context.Context, id identity.Principal, name string) error {
	a, _ := r.cfg.Keeper.Account()
	if _, known := a.Profile().Buddy(id); !known {
		return errNoBuddy(id.String())
	}
	_, err := r.edit(account.SetPetname(id, name))
	return err
}

// SetStatus shows buddies a text of at most buddy.MaxStatus bytes of one line
// beside this account's name, as long as this device is there. BadRequest or
// TooLarge for another.
func (r *Roster) SetStatus(text string) error {
	if err := buddy.CheckLine("status", text, buddy.MaxStatus); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = text
	for _, l := range r.links {
		if l.purpose == buddy.PurposeRoster {
			l.say(func(s *sayings) { s.status = true })
		}
	}
	return nil
}

// Attend says that a person looks at a buddy, until done is called: it is
// connected to as soon as it is there, and its death is seen within 10 s. At
// most 64 buddies are connected to at a time, those attended to first.
func (r *Roster) Attend(id identity.Principal) (done func()) {
	r.attention(id, 1)
	var once sync.Once
	return func() { once.Do(func() { r.attention(id, -1) }) }
}

func (r *Roster) attention(id identity.Principal, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[id]
	if c == nil {
		return // nothing is known of it, so there is nothing to look at
	}
	before := c.attended > 0
	c.attended = max(0, c.attended+more)
	if c.attended == 0 {
		c.lingers = time.Now().Add(lingerTime)
	}
	if before != (c.attended > 0) {
		if soon := time.Now().Add(glance); c.missed > 0 && c.nextLook.After(soon) {
			c.nextLook = soon
		}
		for _, l := range r.linksOfLocked(id) {
			if l.purpose == buddy.PurposeRoster {
				l.attendedAnew()
			}
		}
		r.tellLocked(Event{Kind: EventBuddy, Account: id})
	}
	r.rouse()
}
