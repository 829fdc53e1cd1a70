package roster

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/replica"
)

// readPage is how many messages are looked through at a time for marks.
const readPage = 256

// Conversations are those of the account.
func (r *Roster) Conversations() *session.Conversations { return r.talks }

// Send writes a text of at most replica.MaxBody bytes. It is on the disk when
// Send returns, and goes to every device of both accounts when they are there.
// After an error the text is still the caller's. Errors: Unknown for an account
// that is no accepted buddy, Forbidden for a blocked one, TooLarge, BadRequest
// for text that is empty or not UTF-8, Limit, Internal for a full disk.
func (r *Roster) Send(ctx context.Context, with identity.Principal, text string) (Message, error) {
	e, err := r.write(ctx, with, replica.Draft{Kind: replica.Text, Body: []byte(text)})
	if err != nil {
		return Message{}, err
	}
	return messageOf(replica.Shown{Entry: e, Place: e.ID}, true), nil
}

// SetState writes the application's bytes of a conversation, at most
// replica.MaxBody, which its devices and those of the other account then have.
// Errors are those of Send.
func (r *Roster) SetState(ctx context.Context, with identity.Principal, state []byte) error {
	_, err := r.write(ctx, with, replica.Draft{Kind: replica.State, Body: state})
	return err
}

// State returns the bytes that were last written, nil if none were.
func (r *Roster) State(ctx context.Context, with identity.Principal) ([]byte, error) {
	return r.talks.State(ctx, with)
}

func (r *Roster) write(ctx context.Context, with identity.Principal, d replica.Draft) (replica.Entry, error) {
	r.mu.Lock()
	err := r.mayWriteLocked(with)
	r.mu.Unlock()
	if err != nil {
		return replica.Entry{}, err
	}
	if err := replica.CheckBody(d.Kind, d.Body); err != nil {
		return replica.Entry{}, err
	}
	entries, err := r.talks.Write(ctx, with, d)
	if err != nil {
		return replica.Entry{}, err
	}
	return entries[0], nil
}

// mayWriteLocked says why an account cannot be written to, or called.
func (r *Roster) mayWriteLocked(with identity.Principal) error {
	c := r.book.contacts[with]
	switch {
	case r.account.Revoked():
		return wire.Errorf(wire.Forbidden, "this device was revoked from %s", r.me).WithNext("link it again from another device of the account")
	case c != nil && c.blocked:
		return wire.Errorf(wire.Forbidden, "%s is blocked", with).WithNext("unblock it first: panpipe buddy unblock %s", with)
	case c != nil && c.standing == requested:
		return wire.Errorf(wire.NotReady, "%s has not accepted yet", with).WithNext("wait: it is asked again until it answers")
	case c == nil || c.standing != accepted:
		return errNoBuddy(with.String())
	}
	return nil
}

func messageOf(s replica.Shown, mine bool) Message {
	m := Message{
		With: s.With, ID: s.ID, Place: s.Place, Author: s.Author.Device, Mine: mine,
		Sent: time.UnixMilli(int64(s.Sent)), Text: string(s.Body), //nolint:gosec // below 2^48
	}
	if !mine {
		m.Delivery = Delivered
	}
	return m
}

// Page returns at most n messages of a conversation before a place, the newest
// first; the zero place is the end.
func (r *Roster) Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]Message, error) {
	page, err := r.talks.Page(ctx, with, before, n)
	if err != nil {
		return nil, err
	}
	how, err := r.deliveries(ctx, with)
	if err != nil {
		return nil, err
	}
	messages := make([]Message, 0, len(page))
	for _, s := range page {
		m := messageOf(s, how.ours.has(s.Author.Device))
		m.Delivery = how.of(s, m.Mine)
		messages = append(messages, m)
	}
	return messages, nil
}

// deliveries say how far the logs of a conversation have come.
type deliveries struct {
	ours                             names
	with                             identity.Principal
	delivered, readThere, readByOurs map[replica.Author]uint64
	held                             holdings
}

func (r *Roster) deliveries(ctx context.Context, with identity.Principal) (d deliveries, err error) {
	d.with = with
	r.mu.Lock()
	d.ours = r.ours
	d.held = make(holdings)
	for key, high := range r.held {
		if key.With == with {
			d.held[key] = high
		}
	}
	r.mu.Unlock()
	theirs := func(device identity.Principal) bool { return !d.ours.has(device) }
	if d.delivered, err = r.talks.Marks(ctx, with, replica.Delivered, theirs); err != nil {
		return d, err
	}
	if d.readThere, err = r.talks.Marks(ctx, with, replica.Read, theirs); err != nil {
		return d, err
	}
	d.readByOurs, err = r.talks.Marks(ctx, with, replica.Read, d.ours.has)
	return d, err
}

// of is how far a message has come.
func (d deliveries) of(s replica.Shown, mine bool) Delivery {
	switch {
	case mine && d.readThere[s.Author] >= s.Counter, !mine && d.readByOurs[s.Author] >= s.Counter:
		return Read
	case !mine, d.delivered[s.Author] >= s.Counter, d.held[s.Key] >= s.Counter:
		return Delivered
	}
	return Kept
}

// MarkRead notes that a person has seen a conversation up to and including a
// place, and tells all devices of both accounts.
func (r *Roster) MarkRead(ctx context.Context, with identity.Principal, upTo replica.ID) error {
	how, err := r.deliveries(ctx, with)
	if err != nil {
		return err
	}
	due := make(map[replica.Author]uint64)
	before := after(upTo)
	for {
		page, err := r.talks.Page(ctx, with, before, readPage)
		if err != nil {
			return err
		}
		more := len(page) == readPage
		for _, s := range page {
			before = s.Place
			if how.ours.has(s.Author.Device) {
				continue
			}
			if how.readByOurs[s.Author] >= s.Counter {
				more = false // what is before it was read with it, or is an author's who had not spoken then
				continue
			}
			due[s.Author] = max(due[s.Author], s.Counter)
		}
		if !more {
			return r.mark(with, replica.Read, due)
		}
	}
}

// Unread is how many messages of the other account a person has yet to see, of
// the last n of the conversation.
func (r *Roster) Unread(ctx context.Context, with identity.Principal, n int) (int, error) {
	page, err := r.Page(ctx, with, replica.ID{}, n)
	count := 0
	for _, m := range page {
		if !m.Mine && m.Delivery != Read {
			count++
		}
	}
	return count, err
}

// after is the next place.
func after(id replica.ID) replica.ID {
	if low := binary.BigEndian.Uint64(id[8:]); low < math.MaxUint64 {
		binary.BigEndian.PutUint64(id[8:], low+1)
		return id
	}
	return replica.MakeID(id.Stamp()+1, 0)
}
