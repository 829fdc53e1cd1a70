package roster

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// markPause is how long delivered marks are gathered before they are written.
const markPause = 500 * time.Millisecond

// observer hears of conversations for a roster.
type observer struct{ r *Roster }

// marks are those that are to be written: up to where this device holds what
// devices of other accounts have written.
type marks struct {
	due  map[identity.Principal]map[replica.Author]uint64
	wake chan struct{}
}

func newMarks() marks {
	return marks{due: make(map[identity.Principal]map[replica.Author]uint64), wake: make(chan struct{}, 1)}
}

// holdings are up to where devices of other accounts hold this account's logs, as
// they said on a link.
type holdings map[replica.Key]uint64

// Added tells of entries that are new here.
func (o observer) Added(entries []replica.Entry) {
	r := o.r
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		c := r.book.contacts[e.With]
		if c == nil {
			continue
		}
		mine := r.ours.has(e.Author.Device)
		switch e.Kind {
		case replica.Text:
			c.talked = time.Now()
			r.tellLocked(Event{Kind: EventMessage, Account: e.With, Message: messageOf(replica.Shown{Entry: *e, Place: e.ID}, mine)})
		case replica.State:
			c.talked = time.Now()
			r.tellLocked(Event{Kind: EventState, Account: e.With})
		case replica.Delivered, replica.Read:
			r.tellLocked(Event{Kind: EventMark, Account: e.With})
			continue
		default:
			continue
		}
		if !mine {
			r.marks.add(e)
		}
	}
	r.rouse()
}

// add notes that an entry is held here.
func (m marks) add(e *replica.Entry) {
	of := m.due[e.With]
	if of == nil {
		of = make(map[replica.Author]uint64)
		m.due[e.With] = of
	}
	of[e.Author] = max(of[e.Author], e.Counter)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Held tells that a far device holds a run of a log durably.
func (o observer) Held(far identity.Principal, key replica.Key, run replica.Run) {
	r := o.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if run.Empty() || r.ours.has(far) || !r.ours.has(key.Author.Device) || r.held[key] >= run.High {
		return
	}
	r.held[key] = run.High
	r.tellLocked(Event{Kind: EventMark, Account: key.With})
}

// Stopped tells that a log goes no further.
func (o observer) Stopped(_ identity.Principal, key replica.Key, why error) {
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	o.r.tellLocked(Event{Kind: EventStopped, Account: key.With, Err: why})
}

// writeMarks writes delivered marks, until the end.
func (r *Roster) writeMarks() {
	for {
		select {
		case <-r.marks.wake:
		case <-r.ctx.Done():
			return
		}
		pause := time.NewTimer(markPause)
		select {
		case <-pause.C:
		case <-r.ctx.Done():
			pause.Stop()
			return
		}
		r.mu.Lock()
		due := make(map[identity.Principal]map[replica.Author]uint64, len(r.marks.due))
		for with, of := range r.marks.due {
			due[with] = of
		}
		clear(r.marks.due)
		r.mu.Unlock()
		for with, of := range due {
			if err := r.mark(with, replica.Delivered, of); err != nil && r.ctx.Err() == nil {
				r.cfg.Log.Error("what has arrived could not be marked", "account", with, "error", err)
			}
		}
	}
}

// mark writes marks, as many as one entry takes in each.
func (r *Roster) mark(with identity.Principal, kind replica.Kind, of map[replica.Author]uint64) error {
	var all []replica.Mark
	for author, counter := range of {
		all = append(all, replica.Mark{Author: author, Counter: counter})
	}
	var drafts []replica.Draft
	for len(all) > 0 {
		n := min(len(all), replica.MaxMarks)
		drafts = append(drafts, replica.Draft{Kind: kind, Body: replica.AppendMarks(nil, all[:n])})
		all = all[n:]
	}
	if len(drafts) == 0 {
		return nil
	}
	_, err := r.talks.Write(r.ctx, with, drafts...)
	return wrapClosed(err)
}

// wrapClosed says why nothing can be written at the end.
func wrapClosed(err error) error {
	if wire.CodeOf(err) == wire.Closed {
		return errClosed
	}
	return err
}
