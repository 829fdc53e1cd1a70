package roster

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// maxRequests caps the requests that wait here.
const maxRequests = 64

// What a person has declined is not shown again for a while: whoever asked asks
// again by itself. So many are remembered.
const (
	declinedFor = 7 * 24 * time.Hour
	maxDeclined = 256
)

// askAgain asks an account that the book says is to be asked.
func (r *Roster) askAgain(a action) {
	ctx, cancel := context.WithTimeout(r.ctx, lookTime)
	defer cancel()
	_, err := r.askOnce(ctx, a.account)
	r.mu.Lock()
	r.book.asked(r.book.contact(a.account), err, time.Now())
	r.mu.Unlock()
	r.rouse()
}

// askOnce asks an account at its contact pipe, and acts on the answer.
func (r *Roster) askOnce(ctx context.Context, id identity.Principal) (yes bool, err error) {
	c, err := r.net.dialContact(ctx, id)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	answer, err := r.converse(c, id)
	if err != nil {
		c.ResetWith(wire.CodeOf(err), reasonOf(err))
		return false, err
	}
	_ = c.Close() // nothing follows
	if !answer.Accepted {
		return false, nil
	}
	return true, r.hearYes(id, answer)
}

func (r *Roster) converse(c conn, id identity.Principal) (answer buddy.Answer, err error) {
	_, who, err := r.greet(c, buddy.PurposeAsk)
	if err == nil && who != id {
		err = wire.Errorf(wire.Forbidden, "device %s is not one of %s", c.RemotePeer(), id)
	}
	if err != nil {
		return answer, err
	}
	r.mu.Lock()
	q := buddy.Ask{Name: r.account.Profile().Name(), Note: r.book.contact(id).note}
	if p := r.book.presence; p != nil {
		q.Secret = p.Bytes()
	}
	r.mu.Unlock()
	if err := buddy.WriteAsk(c, q); err != nil {
		return answer, err
	}
	return buddy.ReadAnswer(c)
}

// hearYes acts on an answer that accepts.
func (r *Roster) hearYes(id identity.Principal, answer buddy.Answer) error {
	r.mu.Lock()
	c := r.book.contact(id)
	standing := c.standing
	if standing == own { // where its other devices are; its profile comes from there
		if a, err := buddy.ParseSecret(answer.Secret); err == nil {
			c.settlePresence(&a)
		}
	} else if c.name != answer.Name {
		c.name = answer.Name
		r.storeLocked(c)
	}
	r.mu.Unlock()
	if standing != requested && standing != accepted {
		return nil // it was taken back meanwhile
	}
	return r.befriend(id, answer.Secret)
}

// serveAsk has a link that was dialled on the contact pipe.
func (r *Roster) serveAsk(c conn) {
	stop := context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	if err := r.hearAsk(c); err != nil {
		c.ResetWith(wire.CodeOf(err), reasonOf(err))
		return
	}
	_ = c.Close() // the answer is delivered
}

func (r *Roster) hearAsk(c conn) error {
	if !r.asking.take(c.RemotePeer(), time.Now()) {
		return errBusy
	}
	_ = c.SetDeadline(time.Now().Add(helloTime)) // what fails, fails at the read
	h, err := buddy.ReadHello(c)
	if err != nil {
		return err
	}
	if h.Purpose != buddy.PurposeAsk {
		return wire.Errorf(wire.Unsupported, "purpose %s has no place here", h.Purpose)
	}
	// Who says nothing more than a Hello costs no more than verifying a log.
	id, log, err := r.introduced(c.RemotePeer(), h.Log)
	if err != nil {
		return r.dismissed(c, id, h.Purpose, err)
	}
	if err := buddy.WriteHello(c, r.hello(buddy.PurposeAsk)); err != nil {
		return err
	}
	q, err := buddy.ReadAsk(c)
	if err != nil {
		return err
	}
	answer, err := r.answer(id, log, q)
	if err != nil {
		return err
	}
	return buddy.WriteAnswer(c, answer)
}

// answer decides about a request.
func (r *Roster) answer(id identity.Principal, log *identity.DeviceLog, q buddy.Ask) (buddy.Answer, error) {
	r.mu.Lock()
	standing, blocked := stranger, false
	if c := r.book.contacts[id]; c != nil {
		standing, blocked = c.standing, c.blocked
	}
	r.mu.Unlock()
	switch {
	case blocked:
		return buddy.Answer{}, nil
	case standing == stranger:
		r.keepRequest(id, log, request{Ask: q, at: r.cfg.Now()})
		return buddy.Answer{}, nil
	case standing != own:
		if err := r.befriend(id, q.Secret); err != nil {
			return buddy.Answer{}, err
		}
		r.mu.Lock()
		if c := r.book.contact(id); c.name != q.Name {
			c.name = q.Name
			r.storeLocked(c)
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.book.presence
	if standing == own && !r.account.Current() {
		// The asker has shown a log with a new profile key, as the root does, and is
		// where that can be had.
		if a, err := buddy.ParseSecret(q.Secret); err == nil {
			r.book.contact(r.me).settlePresence(&a)
			r.rouse()
		}
	}
	if p == nil {
		return buddy.Answer{}, nil
	}
	return buddy.Answer{Accepted: true, Name: r.account.Profile().Name(), Secret: p.Bytes()}, nil
}

// keepRequest keeps a request of a stranger, in the place of one that it has made
// before, and tells a person and this account's other devices.
func (r *Roster) keepRequest(id identity.Principal, log *identity.DeviceLog, q request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == r.me || len(r.waitingLocked()) >= maxRequests && (r.book.contacts[id] == nil || r.book.contacts[id].request == nil) {
		return
	}
	c := r.book.contact(id)
	if c.standing != stranger || c.blocked || q.at.Before(c.declined.Add(declinedFor)) || c.request != nil && c.request.Name == q.Name && c.request.Note == q.Note && string(c.request.Secret) == string(q.Secret) {
		return
	}
	c.request, c.name = &q, q.Name
	c.log, _ = identity.Judge(c.log, log)
	r.logs.keep(c.log)
	r.storeLocked(c)
	r.tellLocked(Event{Kind: EventRequest, Account: id})
	r.passOnLocked(id)
}

// passOnLocked tells this account's other devices what has become of a request.
func (r *Roster) passOnLocked(id identity.Principal) {
	for _, l := range r.linksOfLocked(r.me) {
		if l.purpose == buddy.PurposeRoster {
			l.say(func(s *sayings) {
				if !slices.Contains(s.requests, id) {
					s.requests = append(s.requests, id)
				}
			})
		}
	}
}

// waitingLocked are the accounts whose requests wait.
func (r *Roster) waitingLocked() (all []identity.Principal) {
	for id, c := range r.book.contacts {
		if c.request != nil {
			all = append(all, id)
		}
	}
	return all
}

// hearRequest takes a request over from an own device.
func (r *Roster) hearRequest(f buddy.Request) error {
	if f.Declined {
		r.forgetRequest(f.Account, false)
		return nil
	}
	log, err := r.open(f.Log)
	if err != nil {
		return err
	}
	if log.Account() != f.Account {
		return wire.Errorf(wire.BadRequest, "request of %s with the log of %s", f.Account, log.Account())
	}
	r.keepRequest(f.Account, log, request{Ask: f.Ask, at: f.At})
	return nil
}

// forgetRequest drops a request. It is false where there is none.
func (r *Roster) forgetRequest(id identity.Principal, tell bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[id]
	if c == nil || c.request == nil {
		return false
	}
	c.request, c.declined = nil, r.cfg.Now()
	if c.standing == stranger && !c.blocked {
		c.log, c.name = nil, ""
	}
	r.forgetDeclinedLocked()
	r.storeLocked(c)
	r.tellLocked(Event{Kind: EventRequest, Account: id})
	if tell {
		r.passOnLocked(id)
	}
	return true
}

// forgetDeclinedLocked drops what was declined first, above the cap.
func (r *Roster) forgetDeclinedLocked() {
	var all []*contact
	for _, c := range r.book.contacts {
		if !c.declined.IsZero() {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *contact) int { return b.declined.Compare(a.declined) })
	for _, c := range all[min(len(all), maxDeclined):] {
		c.declined = time.Time{}
		r.storeLocked(c)
	}
}

// takeRequest is the request of an account as it waits.
func (r *Roster) takeRequest(id identity.Principal) (request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[id]
	if c == nil || c.request == nil {
		return request{}, wire.Errorf(wire.Unknown, "%s has not asked to be a buddy", id).
			WithNext("ask it: panpipe buddy add %s", id)
	}
	return *c.request, nil
}

// accept answers a request with yes.
func (r *Roster) accept(id identity.Principal, q request) error {
	if _, err := r.edit(account.Add(id, account.Accepted), account.SetSecret(id, q.Secret)); err != nil {
		return err
	}
	r.mu.Lock()
	c := r.book.contact(id)
	c.lingers = time.Now().Add(lingerTime)
	c.request = nil
	r.storeLocked(c)
	r.tellLocked(Event{Kind: EventRequest, Account: id})
	r.passOnLocked(id)
	r.mu.Unlock()
	r.rouse()
	return nil
}
